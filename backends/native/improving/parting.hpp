// algorithms/improving/parting.py: replicas of one expert that share a pack are parted, swap by swap.

class Parting {
 public:
  Parting(int experts, int width, Memory& memory)
      : number_(experts), width_(width), ours_(memory.take<int32_t>(experts)), holds_(memory.take<int32_t>(width)) {}

  // Until none is left; then the loads of packs are added up anew.
  void part(Table& table, const Items& items) {
    int one = first_doubled(table);
    if (one == kNone) return;
    for (int e = 0; e < number_; ++e) ours_[e] = 0;
    for (; one != kNone; one = first_doubled(table)) part_one(table, items, one);
    table.add_up();
  }

 private:
  static constexpr int kNone = INT32_MAX;

  // The first place whose expert is in its pack at a lower rank too.
  static int first_doubled(const Table& table) {
    const int width = table.width;
    for (int r = 1; r < table.capacity; ++r)
      for (int p = 0; p < width; p += kLanes) {
        const Ints expert = ints_at(table.expert + r * width + p);
        Ints is_doubled{};
        for (int o = 0; o < r; ++o) is_doubled |= as_bits(expert == ints_at(table.expert + o * width + p));
        if (any(is_doubled)) return r * width + p + __builtin_ctz(lanes_where(is_doubled));
      }
    return kNone;
  }

  void part_one(Table& table, const Items& items, int one) {
    const int width = table.width, capacity = table.capacity, pack = one % width;
    const int32_t item = table.item[one];
    for (int r = 0; r < capacity; ++r) ours_[table.expert[r * width + pack]] = 1;
    for (int p = 0; p < width; ++p) holds_[p] = 0;
    holds_[pack] = 1;
    for (int32_t i = items.next[item]; i != item; i = items.next[i]) holds_[table.pack_of[i]] = 1;
    float best = kInfinite;
    int other = 0, other_pack = 0;
    for (int s = 0; s < capacity; ++s)
      for (int p = 0; p < table.packs; ++p) {
        const int place = s * width + p;
        if (holds_[p] || (ours_[table.expert[place]] && !is_doubled(table, s, p))) continue;
        const float less = table.load[one] - table.load[place];
        const float after = busier(table.pack_load[pack], table.pack_load[p], less);
        if (after < best) {
          best = after;
          other = place;
          other_pack = p;
        }
      }
    for (int r = 0; r < capacity; ++r) ours_[table.expert[r * width + pack]] = 0;
    const float less = table.load[one] - table.load[other];
    table.put(one, pack, other, other_pack);
    table.pack_load[pack] -= less;
    table.pack_load[other_pack] += less;
  }

  static bool is_doubled(const Table& table, int rank, int pack) {
    const int32_t expert = table.expert[rank * table.width + pack];
    for (int r = 0; r < rank; ++r)
      if (table.expert[r * table.width + pack] == expert) return true;
    return false;
  }

  int number_, width_;
  int32_t* ours_;   // [experts] whether the pack holds it
  int32_t* holds_;  // [width] whether a pack holds the expert
};
