// algorithms/rings/placing.py: the ring, a slot for every replica, and experts that change seats.

class Ring {
 public:
  Ring(const Shape& shape, Memory& memory)
      : shape_(shape), layout_(shape, memory), seating_(shape, memory), levelling_(shape, memory),
        wanted_(memory.take<int32_t>(shape.slots)) {}

  void prepare(Tools& tools) { layout_.prepare(tools.sorter, tools.key); }

  void place(const float* load, const Spares& spares, const Items& items, Table& table, Tools& tools,
             int32_t* slot2expert) {
    const int experts = shape_.node_experts;
    layout_.begin(spares.count);
    for (int i = 0; i < shape_.slots; ++i) {
      const int32_t expert = items.expert[i], rank = i < experts ? 0 : spares.rank[i - experts];
      wanted_[i] = spares.count[expert] > 1 ? layout_.gpu_of_replica(expert, rank) : shape_.gpus;
    }
    seating_.seat(items, wanted_, table, tools.sorter);
    table.look_up(items);
    table.add_up();
    tools.parting.part(table, items);
    for (int p = 0; p < table.packs; ++p)
      for (int r = 0; r < table.capacity; ++r)
        slot2expert[p * table.capacity + r] = table.expert[r * table.width + p];
    levelling_.level(load, tree_sum(load, experts, tools.tree), spares.count, slot2expert);
  }

 private:
  const Shape& shape_;
  Layout layout_;
  Seating seating_;
  Levelling levelling_;
  int32_t* wanted_;  // [slots] the GPU of each replica
};
