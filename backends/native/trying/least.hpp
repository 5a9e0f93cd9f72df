// What the busiest pack of a candidate has at least, however its items are packed.

// Of items in this order, the heaviest first, as added up slot by slot: a little less than what it would be exactly.
inline float least_busiest(const float* load, const int32_t* order, int packs, int capacity) {
  const int number = packs * capacity;
  double least = 0.0;
  // So many packs as can have the heaviest items, one each or not, have the lightest items beside them at least.
  double together = 0.0;
  for (int k = 1, next = number; k <= packs; ++k) {
    double each = load[order[k - 1]];
    for (int r = 1; r < capacity; ++r) each += load[order[--next]];
    together += each;
    if (together > least * k) least = together / k;
  }
  // Of one item more than there are places of m ranks some pack has m + 1, and the lightest items beside them.
  double lightest = 0.0;
  for (int m = capacity - 1; m > 0; --m) {
    double pack = lightest;
    for (int r = 0; r <= m; ++r) pack += load[order[m * packs - r]];
    least = pack > least ? pack : least;
    lightest += load[order[number - capacity + m]];
  }
  return static_cast<float>(least * (1.0 - capacity * 0x1p-22));
}
