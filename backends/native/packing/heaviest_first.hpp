// algorithms/packing/heaviest_first.py: item by item into the lightest pack that is not full, the first of equal ones.

inline void pack(const float* load, int number, const int32_t* order, Table& table, Tournament& tournament) {
  const int packs = table.packs, capacity = table.capacity, width = table.width;
  if (number <= packs) {
    for (int i = 0; i < number; ++i) table.item[i] = i;
    return;
  }
  int32_t* used = table.at;
  int placed = 0;
  // As long as packs are empty, each item gets one.
  for (; placed < packs && load[order[placed]] > 0.0f; ++placed) {
    table.item[placed] = order[placed];
    table.pack_load[placed] = load[order[placed]];
    used[placed] = 1;
  }
  for (int p = placed; p < packs; ++p) {
    table.pack_load[p] = 0.0f;
    used[p] = 0;
  }
  tournament.begin(packs);
  for (int p = 0; p < packs; ++p) tournament.set(p, Tournament::key(bits_of(table.pack_load[p]), p));
  tournament.play();
  for (int64_t first = tournament.first(); placed < number; ++placed) {
    const auto p = static_cast<int32_t>(first & INT32_MAX);
    const int32_t item = order[placed], rank = used[p]++;
    const float after = float_of(static_cast<int32_t>(first >> 32)) + load[item];
    table.item[rank * width + p] = item;
    table.pack_load[p] = after;
    first = tournament.change(p, rank + 1 < capacity ? Tournament::key(bits_of(after), p) : Tournament::kNever);
  }
}
