// algorithms/improving/parting.py: replicas of one expert that share a pack are parted, swap by swap.

class Parting {
 public:
  Parting(int experts, int width, Memory& memory)
      : number_(experts), width_(width), ours_(memory.take<int32_t>(experts)), seen_(memory.take<int32_t>(width)),
        lowest_(memory.take<int32_t>(width)) {}

  // Until none is left; then the loads of packs are added up anew.
  void part(Table& table, const Items& items) {
    int one = first_doubled(table, items);
    if (one == kNone) return;
    for (int e = 0; e < number_; ++e) ours_[e] = 0;
    for (; one != kNone; one = first_doubled(table, items)) part_one(table, items, one);
    table.add_up();
  }

 private:
  static constexpr int kNone = INT32_MAX;

  // The first place whose expert is in its pack at a lower rank too.
  int first_doubled(const Table& table, const Items& items) {
    for (int p = 0; p < width_; ++p) seen_[p] = -1;
    int found = kNone;
    for (int32_t e = 0; e < number_; ++e) {
      if (items.next[e] == e) continue;
      int32_t i = e;
      do {
        const int32_t pack = table.pack_of[i], rank = table.rank_of[i];
        if (seen_[pack] == e) {
          const int32_t higher = rank > lowest_[pack] ? rank : lowest_[pack], place = higher * table.width + pack;
          found = place < found ? place : found;
          lowest_[pack] = rank < lowest_[pack] ? rank : lowest_[pack];
        } else {
          seen_[pack] = e;
          lowest_[pack] = rank;
        }
        i = items.next[i];
      } while (i != e);
    }
    return found;
  }

  void part_one(Table& table, const Items& items, int one) {
    const int width = table.width, capacity = table.capacity, pack = one % width;
    const int32_t item = table.item[one];
    for (int r = 0; r < capacity; ++r) ours_[table.expert[r * width + pack]] = 1;
    for (int p = 0; p < width; ++p) seen_[p] = 0;
    seen_[pack] = 1;
    for (int32_t i = items.next[item]; i != item; i = items.next[i]) seen_[table.pack_of[i]] = 1;
    float best = kInfinite;
    int other = 0, other_pack = 0;
    for (int s = 0; s < capacity; ++s)
      for (int p = 0; p < table.packs; ++p) {
        const int place = s * width + p;
        if (seen_[p] || (ours_[table.expert[place]] && !is_doubled(table, s, p))) continue;
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
  int32_t* ours_;    // [experts] whether the pack holds it
  int32_t* seen_;    // [width] the expert looked at; whether a pack holds it
  int32_t* lowest_;  // [width] its lowest rank there
};
