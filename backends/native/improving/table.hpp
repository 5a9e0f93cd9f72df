// algorithms/improving/table.py: the slots as a table whose columns are packs, place = rank * width + pack.

struct Busiest {
  int pack;
  float load;
};

struct Table {
  int packs, capacity;
  int width;  // of a row of the table, whole vectors; what is beyond the packs no swap wants

  int32_t* item;     // [places]
  float* load;       // [places]
  int32_t* expert;   // [places]
  float* pack_load;  // [width]
  int32_t* rank_of;  // [items] where each is
  int32_t* pack_of;
  float* going;     // [places] what of the busiest pack may go to the pack of a column
  float* coming;    // [capacity] what of a pack may come to the busiest
  float* estimate;  // [width] of what the busier pack would have after a swap
  int32_t* before;  // [places] items as they were
  int32_t* at;      // [width] of whoever needs it

  Table(int items, int packs_, Memory& memory) : packs(packs_), capacity(items / packs_), width(padded(packs_)) {
    const int places = width * (capacity > 0 ? capacity : 1);
    item = memory.take<int32_t>(places);
    load = memory.take<float>(places);
    expert = memory.take<int32_t>(places);
    pack_load = memory.take<float>(width);
    rank_of = memory.take<int32_t>(items);
    pack_of = memory.take<int32_t>(items);
    going = memory.take<float>(places);
    coming = memory.take<float>(capacity);
    estimate = memory.take<float>(width);
    before = memory.take<int32_t>(places);
    at = memory.take<int32_t>(width);
  }

  int places() const { return capacity * width; }

  // All that swaps look at, of the items in their places.
  void look_up(const Items& items) {
    for (int r = 0; r < capacity; ++r) {
      const int row = r * width;
      for (int p = 0; p < packs; ++p) {
        const int32_t i = item[row + p];
        load[row + p] = items.load[i];
        expert[row + p] = items.expert[i];
        rank_of[i] = r;
        pack_of[i] = p;
      }
      for (int p = packs; p < width; ++p) {
        item[row + p] = 0;
        load[row + p] = kInfinite;
        expert[row + p] = -1 - r;  // no two are the same
      }
    }
  }

  // The loads of packs, in slot order.
  void add_up() {
    for (int p = 0; p < width; p += kLanes) {
      Floats total = floats_at(load + p);
      for (int r = 1; r < capacity; ++r) total += floats_at(load + r * width + p);
      store(pack_load + p, total);
    }
    end_packs();
  }

  void add_up(int pack) {
    float total = load[pack];
    for (int r = 1; r < capacity; ++r) total += load[r * width + pack];
    pack_load[pack] = total;
  }

  // Behind the packs there are none that could be the busiest.
  void end_packs() {
    for (int p = packs; p < width; ++p) pack_load[p] = -kInfinite;
  }

  float busiest() const {
    Floats most = floats_at(pack_load), others = most;
    int p = kLanes;
    for (; p + kLanes < width; p += 2 * kLanes) {
      most = larger(floats_at(pack_load + p), most);
      others = larger(floats_at(pack_load + p + kLanes), others);
    }
    if (p < width) most = larger(floats_at(pack_load + p), most);
    return largest(larger(most, others));
  }

  // The first of the busiest packs.
  int busiest_pack() const { return first_of(busiest()); }

  // The first of the lightest packs.
  int lightest_pack() const {
    int found = 0;
    for (int p = 1; p < packs; ++p) found = pack_load[p] < pack_load[found] ? p : found;
    return found;
  }

  // The first pack with this load.
  int first_of(float wanted) const {
    Ints left{};  // packs from the first on
    for (int p = 0; p < width; p += kLanes) {
      const Ints is_it = as_bits(floats_at(pack_load + p) == wanted);
      left = larger(is_it & (width - p - lane_numbers()), left);
    }
    return width - largest(left);
  }

  // The busiest of all packs but one, which may be none that comes first.
  Busiest busiest_but(int pack) const {
    Floats most = all(-kInfinite);
    for (int p = 0; p < width; p += kLanes) {
      const Ints is_it = as_bits(lane_numbers() + p == pack);
      most = larger((Floats)((Ints)floats_at(pack_load + p) | is_it), most);  // it is no number
    }
    const float load = largest(most);
    return {first_of(load), load};
  }

  // The first of the busiest packs now that two have changed, given the busiest of the others.
  int busiest_pack(const Busiest& others, int one, int other) const {
    const bool are_lighter = pack_load[one] < others.load && pack_load[other] < others.load;
    return are_lighter && others.pack != one && others.pack != other ? others.pack : busiest_pack();
  }

  // Change the places of two items; what their packs have then is for others to say.
  void put(int one, int pack, int other, int other_pack) {
    std::swap(item[one], item[other]);
    std::swap(load[one], load[other]);
    std::swap(expert[one], expert[other]);
    std::swap(rank_of[item[one]], rank_of[item[other]]);
    pack_of[item[one]] = pack;
    pack_of[item[other]] = other_pack;
  }

  bool holds(int pack, int32_t its_expert) const {
    for (int r = 0; r < capacity; ++r)
      if (expert[r * width + pack] == its_expert) return true;
    return false;
  }

  void keep() { std::memcpy(before, item, sizeof(int32_t) * static_cast<size_t>(places())); }

  // algorithms/improving/finishing.py, lower: what was kept, if the busiest pack is no better now.
  void keep_lower(const Items& items, float busiest_before) {
    add_up();
    if (!(busiest() > busiest_before)) return;
    std::memcpy(item, before, sizeof(int32_t) * static_cast<size_t>(places()));
    look_up(items);
    add_up();
  }
};
