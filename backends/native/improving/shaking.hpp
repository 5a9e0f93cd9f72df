// algorithms/improving/shaking.py: where no swap helps, packs pair off and swap items, as far as none gets in the way.

class Shaking {
 public:
  Shaking(int items, Memory& memory) : next_(memory.take<int32_t>(items)) {}

  // So many rounds, until the busiest pack is close to a bound.
  void shake(Table& table, const Items& items, int number, int rounds, float total, const Shape& shape) {
    const float busiest_before = table.busiest(), packs = static_cast<float>(table.packs);
    const float least = total * shape.threshold, mean = total * shape.close;
    float largest = 0.0f;
    for (int i = 0; i < number; ++i) largest = larger(items.load[i], largest);
    largest *= shape.close;
    float high = busiest_before;
    auto is_open = [&] { return high > largest && high * packs > mean; };
    if (rounds == 0 || !is_open()) return;
    table.keep();
    int pack = table.first_of(high);
    bool may_help = true;  // whether some swap may help the busiest pack
    for (int round = 0; rounds > 0 && is_open(); --rounds) {
      if (!may_help || !swap_best(table, items, pack, least, shape.lightest)) {
        Meetings meetings(table, high, Glance(table, pack, high - least / packs));
        meetings.meet(0, round);
        meetings.meet(round + 1, table.packs - 1);
        const bool stays_busiest = !meetings.one_is_as_busy() && table.pack_load[pack] == high;
        if (!stays_busiest) pack = table.busiest_pack();
        may_help = !stays_busiest || shape.lightest || meetings.one_may_help();  // another may be the lightest
      }
      high = table.pack_load[pack];
      round = round + 1 < table.packs ? round + 1 : 0;
    }
    find_items(table, items, number);
    table.keep_lower(items, busiest_before);
  }

 private:
  // The best swap, if one helps; another pack may be the busiest then.
  static bool swap_best(Table& table, const Items& items, int& pack, float least, bool lightest) {
    const Busiest others = table.busiest_but(pack);
    const Swap best = best_swap(table, items, pack, least, lightest);
    if (!best.is_there()) return false;
    std::swap(table.load[best.one], table.load[best.other]);
    std::swap(table.expert[best.one], table.expert[best.other]);
    table.add_up(pack);
    table.add_up(best.other_pack);
    pack = table.busiest_pack(others, pack, best.other_pack);
    return true;
  }

  // Any item of each expert: they have the same load.
  void find_items(Table& table, const Items& items, int number) {
    for (int i = 0; i < number; ++i) next_[i] = i;
    for (int r = 0; r < table.capacity; ++r)
      for (int p = 0; p < table.packs; ++p) {
        const int place = r * table.width + p;
        int32_t& next = next_[table.expert[place]];
        table.item[place] = next;
        next = items.next[next];
      }
    table.look_up(items);
  }

  int32_t* next_;  // [items] the next item of each expert
};
