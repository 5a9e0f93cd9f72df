// algorithms/sharing/prepared.py: what shares need to know of a plan, found out or given.

class Preparing {
 public:
  Preparing(const SharingShape& shape, Memory& memory)
      : shape_(shape), holders_(shape, memory), stretches_(shape, memory) {}

  // With places of its own, in the room for the rest.
  template <typename Index>
  PreparedArrays<int32_t> prepare(const Index* phy2log, PreparedArrays<int32_t> plan) {
    holders_.find(phy2log, plan);
    choose_colours(shape_, holders_.by_turn, plan, holders_.where.gpu);
    stretches_.find(plan, holders_.where.gpu);
    plan.place = holders_.place;
    return plan;
  }

  const Holding& where() const { return holders_.where; }

 private:
  const SharingShape& shape_;
  Holders holders_;
  Stretches stretches_;
};

inline PreparedArrays<int32_t> room_for_prepared(const SharingShape& shape, Memory& memory) {
  const int experts = shape.experts;
  return {memory.take<int32_t>(shape.slots), memory.take<int32_t>(shape.linked()), memory.take<int32_t>(experts),
          memory.take<int32_t>(experts),     memory.take<int32_t>(experts),        memory.take<int32_t>(experts),
          memory.take<int32_t>(1)};
}

template <typename Index>
inline void copy(const int32_t* from, int64_t number, Index* to) { std::copy(from, from + number, to); }

template <typename Index>
inline void write_prepared(const PreparedArrays<int32_t>& from, const SharingShape& shape,
                           const PreparedArrays<Index>& to) {
  copy(from.expert, shape.slots, to.expert);
  copy(from.place, shape.linked(), to.place);
  copy(from.first, shape.experts, to.first);
  copy(from.holders, shape.experts, to.holders);
  copy(from.colour, shape.experts, to.colour);
  copy(from.start, shape.experts, to.start);
  copy(from.size, 1, to.size);
}
