// algorithms/improving/finishing.py: what comes after swaps, by the number of items in a pack.

inline void finish(Table& table, const Items& items, int number, int steps, float total, const Shape& shape,
                   Shaking& shaking) {
  const float least = total * shape.threshold;
  if (table.capacity == kShakenItems) {
    shaking.shake(table, items, number, steps, total, shape);
  } else if (table.capacity <= kMostItems) {
    exchange(table, items, steps, least, shape.lightest);
  } else {
    refine(table, items, steps, least, shape.lightest);
  }
}
