// algorithms/improving/exchanges.py: swaps, and two items for two where no swap helps.

inline void exchange(Table& table, const Items& items, int steps, float least, bool lightest) {
  const float busiest_before = table.busiest();
  table.keep();
  Pairs pairs(table.capacity);
  bool changed = false;
  for (int pack = table.busiest_pack(); steps > 0; --steps) {
    const Busiest others = table.busiest_but(pack);
    int other_pack;
    const Swap swap = best_swap(table, items, pack, least, lightest);
    if (swap.is_there()) {
      table.put(swap.one, pack, swap.other, swap.other_pack);
      other_pack = swap.other_pack;
    } else {
      const TwoSwaps two = pairs.best(table, items, pack);
      if (!helps(table.pack_load[pack], two.busier, table.packs, least)) break;
      for (int i = 0; i < 2; ++i) table.put(two.ours[i], pack, two.theirs[i], two.other_pack);
      other_pack = two.other_pack;
    }
    table.add_up(pack);
    table.add_up(other_pack);
    pack = table.busiest_pack(others, pack, other_pack);
    changed = true;
  }
  if (changed) table.keep_lower(items, busiest_before);
}
