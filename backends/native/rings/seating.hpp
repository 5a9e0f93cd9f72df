// algorithms/rings/seating.py: a slot for every replica; those without one on the ring go where load is least.

class Seating {
 public:
  Seating(const Shape& shape, Memory& memory)
      : number_(shape.slots),
        packs_(shape.gpus),
        used_(memory.take<int32_t>(shape.gpus)),
        open_(memory.take<int32_t>(shape.gpus)),
        loose_(memory.take<int32_t>(shape.slots)),
        order_(memory.take<int32_t>(shape.slots)),
        key_(memory.take<float>(shape.slots)),
        pack_load_(memory.take<float>(shape.gpus)) {}

  // Items into the table, given the pack that each is wanted in, or as many as there are packs where any will do.
  void seat(const Items& items, const int32_t* wanted, Table& table, Sorter& sorter) {
    for (int p = 0; p < packs_; ++p) {
      used_[p] = 0;
      pack_load_[p] = 0.0f;
    }
    int loose = 0;
    for (int i = 0; i < number_; ++i) {
      if (wanted[i] < packs_ && used_[wanted[i]] < table.capacity) {
        put(i, wanted[i], items, table);
      } else {
        key_[loose] = items.load[i];
        loose_[loose++] = i;
      }
    }
    sorter.descending(key_, loose, order_);
    for (int k = 0; k < loose; ++k) order_[k] = loose_[order_[k]];
    for (int k = 0; k < loose;) {
      const int open = lightest_first(table.capacity, sorter);
      for (int i = 0; i < open; ++i) put(order_[k++], open_[i], items, table);
    }
  }

 private:
  // The packs with a slot left, and how many there are.
  int lightest_first(int capacity, Sorter& sorter) {
    int open = 0;
    for (int p = 0; p < packs_; ++p) {
      open += used_[p] < capacity;
      key_[p] = used_[p] < capacity ? pack_load_[p] : kInfinite;
    }
    sorter.ascending(key_, packs_, open_);
    return open;
  }

  void put(int item, int pack, const Items& items, Table& table) {
    table.item[used_[pack]++ * table.width + pack] = item;
    pack_load_[pack] += items.load[item];
  }

  int number_, packs_;
  int32_t* used_;   // [packs] slots that are taken
  int32_t* open_;   // [packs]
  int32_t* loose_;  // [items]
  int32_t* order_;  // [items] those that are loose, heaviest first
  float* key_;      // [items]
  float* pack_load_;
};
