// algorithms/joint.py: candidates for the counts are packed, and the best of them improved.

constexpr int kMostAlike = 5;  // trying/shape.py, MOST_ALIKE

class Joint {
 public:
  Joint(const Shape& shape, int places, Memory& memory)
      : shape_(shape), seen_(shape, memory), levels_(shape, memory), kept_(shape, places, memory),
        parents_(shape, memory), least_(shape.packed, memory) {
    if (memory.is_real()) seen_.prepare();
  }

  // Put the best candidate into the slots where its busiest pack is lighter than that of D'Hondt's counts, in the table.
  void try_others(const float* load, const Spares& spares, Items& items, Table& table, Tools& tools,
                  int32_t* slot2expert, int32_t* count) {
    float busiest = table.busiest(), largest = 0.0f;
    for (int e = 0; e < shape_.node_experts; ++e) largest = larger(items.load[e], largest);
    const float total = tree_sum(load, shape_.node_experts, tools.tree);
    const float mean = total * shape_.close, packs = static_cast<float>(shape_.gpus);
    largest *= shape_.close;
    auto is_open = [&] { return busiest > largest && busiest * packs > mean; };
    if (!is_open()) return;
    levels_.begin(load, total, spares, tools.sorter);
    seen_.clear();
    if (table.capacity > kMostAlike) seen_.remember(spares.count);
    if (shape_.generations > 1) parents_.begin(spares);
    for (int generation = 1; generation <= shape_.generations && is_open(); ++generation) {
      pack_candidates(load, generation, spares, items, table, tools);
      // Those that can't be better are of no use but as parents.
      improve_kept(load, generation < shape_.generations ? kInfinite : busiest, items, table, tools);
      if (generation < shape_.generations) parents_.follow(kept_);
      if (kept_.number() > 0 && kept_[0].busiest < busiest) {
        busiest = kept_[0].busiest;
        place(kept_[0], table, slot2expert, count);
      }
    }
  }

 private:
  void pack_candidates(const float* load, int generation, const Spares& spares, Items& items, Table& table,
                       Tools& tools) {
    kept_.clear();
    for (int number = 0; number < shape_.candidates(); ++number) {
      Candidate& next = kept_.next();
      if (generation == 1) {
        if (number == 2 * shape_.levels) break;  // more would be the same again
        levels_.make(number, spares, next);
      } else {
        const int moves = 1 + parents_.before(number) % kMostMoves;
        make_offspring(load, parents_.of(number), generation, number, moves, shape_, next);
      }
      if (!seen_.is_new(next.count)) continue;
      read_loads(load, next, items);
      tools.sorter.descending(items.load, shape_.packed, tools.order);
      pack(items.load, shape_.packed, tools.order, table, tools.tournament);
      table.end_packs();
      const float busiest = table.busiest();
      if (!kept_.wants(busiest)) continue;
      next.least = least_.of(items.load, tools.order, table.packs, table.capacity);
      std::memcpy(next.item, table.item, sizeof(int32_t) * static_cast<size_t>(table.places()));
      kept_.keep(busiest);
    }
    seen_.forget();
    for (int i = 0; i < kept_.number(); ++i) seen_.remember(kept_[i].count);
  }

  // All of them; where there is a limit, those that may have less than that, and than the best of those before.
  void improve_kept(const float* load, float limit, Items& items, Table& table, Tools& tools) {
    const Effort effort{1, shape_.rounds, shape_.steps, true};
    for (int i = 0; i < kept_.number(); ++i) {
      Candidate& each = kept_[i];
      if (each.least > limit) {
        each.busiest = kInfinite;
        continue;
      }
      read_loads(load, each, items);
      items.are_replicas(shape_.node_experts, each.spare, shape_.spares);
      std::swap(table.item, each.item);
      table.look_up(items);
      table.add_up();
      improve(table, items, shape_.packed, effort, shape_, tools);
      each.busiest = table.busiest();
      if (limit < kInfinite) limit = smaller(each.busiest, limit);
      std::swap(table.item, each.item);
    }
    kept_.rank();
  }

  void read_loads(const float* load, const Candidate& candidate, Items& items) const {
    const int experts = shape_.node_experts;
    for (int e = 0; e < experts; ++e) items.load[e] = load[e] / static_cast<float>(candidate.count[e]);
    for (int k = 0; k < shape_.spares; ++k) items.load[experts + k] = items.load[candidate.spare[k]];
  }

  void place(const Candidate& found, const Table& table, int32_t* slot2expert, int32_t* count) const {
    const int experts = shape_.node_experts;
    std::memcpy(count, found.count, sizeof(int32_t) * static_cast<size_t>(experts));
    for (int p = 0; p < table.packs; ++p)
      for (int r = 0; r < table.capacity; ++r) {
        const int32_t item = found.item[r * table.width + p];
        slot2expert[p * table.capacity + r] = item < experts ? item : found.spare[item - experts];
      }
  }

  const Shape& shape_;
  Seen seen_;
  Levels levels_;
  Kept kept_;
  Parents parents_;
  Least least_;
};
