// algorithms/improving/swaps.py: a swap, and what it does for the busiest pack.

struct Swap {
  int one, other;  // places; the first is in the busiest pack
  int other_pack;
  float busier;  // the load of the busier pack after it, infinite where there is none

  bool is_there() const { return busier < kInfinite; }
};

// The load of the busier of two packs once this much less is in the first.
template <typename T>
inline T busier(T ours, T theirs, T less) {
  return larger(ours - less, theirs + less);
}

// Whether that would bring the busiest pack enough.
inline bool helps(float high, float after, int packs, float least) {
  return (high - after) * static_cast<float>(packs) > least;
}

// The best of the swaps in each lane, of equal ones that with the first place.
struct BestOfLanes {
  Floats busier;
  Ints place;  // of the first lane

  // Written out, because GCC compiles what is implicit for any processor.
  BestOfLanes() : busier(all(kInfinite)), place{} {}

  void add(Floats found, Ints its_place) {
    const Ints better = (found < busier) | ((found == busier) & (its_place < place));
    busier = better ? found : busier;
    place = better ? its_place : place;
  }

  Swap best(int width) const {
    Swap swap{0, 0, 0, smallest(busier)};
    if (!swap.is_there()) return swap;
    swap.other = smallest(busier == swap.busier ? place + lane_numbers() : all(INT32_MAX));
    swap.other_pack = swap.other % width;
    return swap;
  }
};

// The first of ours that makes the swap what it is.
inline void find_ours(const Table& table, const Items& items, int pack, Swap& swap) {
  const int width = table.width;
  const float high = table.pack_load[pack], theirs = table.pack_load[swap.other_pack];
  for (int r = 0; r < table.capacity; ++r) {
    const int place = r * width + pack;
    const int32_t expert = table.expert[place];
    if (busier(high, theirs, table.load[place] - table.load[swap.other]) != swap.busier) continue;
    if (!items.is_single(expert) && table.holds(swap.other_pack, expert)) continue;
    swap.one = place;
    return;
  }
}
