// algorithms/improving/refinement.py: swaps that lower the busiest pack.

// With all packs, the experts of the busiest being hidden.
inline BestOfLanes best_of_all(const Table& table, float high) {
  const int capacity = table.capacity, width = table.width;
  BestOfLanes best;
  for (int p = 0; p < width; p += kLanes) {
    const Floats pack_load = floats_at(table.pack_load + p);
    Floats found = all(kInfinite);
    Ints place{};
    for (int s = 0; s < capacity; ++s) {
      const Floats theirs = floats_at(table.load + s * width + p);
      Floats least = all(kInfinite);
      for (int r = 0; r < capacity; ++r) {
        const Floats less = floats_at(table.going + r * width + p) - theirs;
        least = smaller(busier(all(high), pack_load, less), least);
      }
      place = least < found ? all(s * width + p) : place;
      found = smaller(least, found);
    }
    best.add(found, place);
  }
  return best;
}

// With one other pack.
inline Swap best_with(Table& table, const Items& items, int pack, int other_pack) {
  const int capacity = table.capacity, width = table.width;
  const float high = table.pack_load[pack], theirs = table.pack_load[other_pack];
  Swap swap{0, 0, other_pack, kInfinite};
  if (other_pack == pack) return swap;
  for (int r = 0; r < capacity; ++r) {
    const int ours = r * width + pack, other = r * width + other_pack;
    auto is_there = [&](int32_t expert, int where) { return !items.is_single(expert) && table.holds(where, expert); };
    table.going[r] = is_there(table.expert[ours], other_pack) ? -kInfinite : table.load[ours];
    table.coming[r] = is_there(table.expert[other], pack) ? kInfinite : table.load[other];
  }
  for (int s = 0; s < capacity; ++s)
    for (int r = 0; r < capacity; ++r) {
      const float after = busier(high, theirs, table.going[r] - table.coming[s]);
      if (after < swap.busier) {
        swap.busier = after;
        swap.other = s * width + other_pack;
      }
    }
  return swap;
}

// The best swap between the busiest pack and others, if it helps.
inline Swap best_swap(Table& table, const Items& items, int pack, float least, bool lightest) {
  const float high = table.pack_load[pack], bound = high - least / static_cast<float>(table.packs);
  Swap swap;
  if (lightest) {
    swap = best_with(table, items, pack, table.lightest_pack());
  } else if (table.capacity == 2) {
    swap = Narrowing<2>(table, pack).best(bound);
  } else if (table.capacity == 3) {
    swap = Narrowing<3>(table, pack).best(bound);
  } else if (table.capacity == 4) {
    swap = Narrowing<4>(table, pack).best(bound);
  } else if (table.capacity == kMostNarrowed) {
    swap = Narrowing<kMostNarrowed>(table, pack).best(bound);
  } else {
    const Hidden hidden(table, items, pack);
    swap = best_of_all(table, high).best(table.width);
  }
  if (!helps(high, swap.busier, table.packs, least)) return Swap{0, 0, 0, kInfinite};
  if (table.capacity > kMostNarrowed || lightest) find_ours(table, items, pack, swap);
  return swap;
}

// At most so many swaps, for as long as the best one helps.
inline void refine(Table& table, const Items& items, int rounds, float least, bool lightest) {
  const float busiest_before = table.busiest();
  table.keep();
  bool changed = false;
  for (int pack = table.busiest_pack(); rounds > 0; --rounds) {
    const Busiest others = table.busiest_but(pack);
    const Swap best = best_swap(table, items, pack, least, lightest);
    if (!best.is_there()) break;
    const float less = table.load[best.one] - table.load[best.other];
    table.put(best.one, pack, best.other, best.other_pack);
    table.pack_load[pack] -= less;
    table.pack_load[best.other_pack] += less;
    pack = table.busiest_pack(others, pack, best.other_pack);
    changed = true;
  }
  if (changed) table.keep_lower(items, busiest_before);
}
