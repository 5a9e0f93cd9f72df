// algorithms/assignment.py: starts -> packing -> parting -> swaps -> finish -> best start.

// What packing and improving need beside the table.
struct Tools {
  Sorter sorter;
  Tournament tournament;
  Parting parting;
  Shaking shaking;
  float* tree;     // [(items + 1) / 2]
  float* key;      // [items]
  int32_t* order;  // [items]
  int32_t* best;   // [places] the items of the best start

  // For so many items of so many experts; both packs and experts meet in tournaments.
  Tools(int items, int experts, const Table& table, Memory& memory)
      : sorter(items, memory),
        tournament(experts > table.packs ? experts : table.packs, memory),
        parting(experts, table.width, memory),
        shaking(items, memory),
        tree(memory.take<float>((items + 1) / 2)),
        key(memory.take<float>(items)),
        order(memory.take<int32_t>(items)),
        best(memory.take<int32_t>(table.places())) {}
};

// How hard is tried.
struct Effort {
  int starts, rounds, finish;
  bool parts;
};

// A packing parted, swapped and finished.
inline void improve(Table& table, const Items& items, int number, const Effort& effort, const Shape& shape,
                    Tools& tools) {
  table.look_up(items);
  if (effort.parts) tools.parting.part(table, items);
  const float total = tree_sum(items.load, number, tools.tree);
  if (effort.rounds > 0) refine(table, items, effort.rounds, total * shape.threshold, shape.lightest);
  if (effort.finish > 0) finish(table, items, number, effort.finish, total, shape, tools.shaking);
}

// The best start, in the table.
inline void assign(Table& table, const Items& items, int number, const Effort& effort, const Shape& shape,
                   Tools& tools) {
  const bool chooses = table.packs > 1 && number > table.packs;
  const bool improves = chooses && (effort.parts || effort.rounds > 0 || effort.finish > 0);
  const int starts = chooses ? effort.starts : 1;
  float least = kInfinite;
  for (int start = 0; start < starts; ++start) {
    if (number > table.packs) {
      if (starts > 1) sort_keys(items.load, number, start, shape, tools.key);
      tools.sorter.descending(starts > 1 ? tools.key : items.load, number, tools.order);
    }
    pack(items.load, number, tools.order, table, tools.tournament);
    table.end_packs();
    if (improves) improve(table, items, number, effort, shape, tools);
    if (starts == 1) return;
    const float busiest = table.busiest();
    if (busiest < least) {
      least = busiest;
      std::swap(table.item, tools.best);
    }
  }
  std::swap(table.item, tools.best);
}
