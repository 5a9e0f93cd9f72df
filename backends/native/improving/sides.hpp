// algorithms/improving/sides.py, holds: what may not go to a pack, or come from it, has loads that no swap wants.

class Hidden {
 public:
  Hidden(Table& table, const Items& items, int pack) : table_(table), items_(items), pack_(pack) {
    const int width = table.width;
    for (int r = 0; r < table.capacity; ++r) {
      float* going = table.going + r * width;
      const Floats ours = all(table.load[r * width + pack]);
      for (int p = 0; p < width; p += kLanes) store(going + p, ours);
      going[pack] = -kInfinite;
    }
    each([&](int rank, int32_t item) {
      table.going[rank * width + table.pack_of[item]] = -kInfinite;
      table.load[table.rank_of[item] * width + table.pack_of[item]] = kInfinite;
    });
  }

  ~Hidden() {
    each([&](int, int32_t item) {
      table_.load[table_.rank_of[item] * table_.width + table_.pack_of[item]] = items_.load[item];
    });
  }

  Hidden(const Hidden&) = delete;

 private:
  // Items elsewhere of experts of the pack, with the rank of the expert's item there.
  template <typename Do>
  void each(Do with) {
    for (int r = 0; r < table_.capacity; ++r) {
      const int32_t ours = table_.item[r * table_.width + pack_];
      for (int32_t i = items_.next[ours]; i != ours; i = items_.next[i]) with(r, i);
    }
  }

  Table& table_;
  const Items& items_;
  int pack_;
};
