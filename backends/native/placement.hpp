// algorithms/placement.py: replicas for experts that all are within reach of all slots, and a slot for each.

// What an expert without load counts as where replicas are handed out.
constexpr float kIdleLoad = 0x1p-80f;

class Placer {
 public:
  Placer(const Shape& shape, Memory& memory)
      : shape_(shape),
        items_(shape.packed, memory),
        table_(shape.packed, shape.gpus, memory),
        tools_(shape.slots, shape.node_experts, table_, memory),
        joint_(shape, table_.places(), memory),
        ring_(shape, memory),
        spares_{memory.take<int32_t>(shape.spares), memory.take<int32_t>(shape.spares),
                memory.take<int32_t>(shape.node_experts)},
        share_(memory.take<float>(shape.node_experts)),
        number_(memory.take<int32_t>(shape.node_experts)) {
    if (memory.is_real() && shape.ring) ring_.prepare(tools_);
  }

  // The expert in each slot, which of its replicas it is, and how many each expert has.
  void place(const float* load, int32_t* slot2expert, int32_t* rank, int32_t* count) {
    hand_out_replicas(load);
    std::memcpy(count, spares_.count, sizeof(int32_t) * static_cast<size_t>(shape_.node_experts));
    if (shape_.ring) {
      ring_.place(load, spares_, items_, table_, tools_, slot2expert);
    } else {
      const Effort effort{shape_.starts, shape_.rounds, shape_.finish, shape_.by_expert()};
      assign(table_, items_, shape_.packed, effort, shape_, tools_);
      if (!shape_.apart) {
        write_as_handed_out(slot2expert, rank);
        return;
      }
      write(slot2expert);
      if (shape_.levels > 0) joint_.try_others(load, spares_, items_, table_, tools_, slot2expert, count);
    }
    for (int e = 0; e < shape_.node_experts; ++e) number_[e] = 0;
    for (int s = 0; s < shape_.slots; ++s) rank[s] = number_[slot2expert[s]]++;
  }

 private:
  void hand_out_replicas(const float* load) {
    const int experts = shape_.node_experts;
    for (int e = 0; e < experts; ++e) share_[e] = load[e] > 0.0f || !shape_.apart ? load[e] : kIdleLoad;
    hand_out(share_, shape_, spares_, tools_.tournament);
    for (int e = 0; e < experts; ++e) share_[e] = load[e] / static_cast<float>(spares_.count[e]);
    const int first = shape_.everywhere ? 0 : experts;
    for (int e = 0; e < first; ++e) items_.load[e] = share_[e];
    for (int k = 0; k < shape_.spares; ++k) items_.load[first + k] = share_[spares_.expert[k]];
    if (shape_.by_expert()) {
      items_.are_replicas(experts, spares_.expert, shape_.spares);
    } else {
      items_.are_single(shape_.packed);
    }
  }

  void write_as_handed_out(int32_t* slot2expert, int32_t* rank) const {
    const int experts = shape_.node_experts;
    for (int p = 0; p < table_.packs; ++p)
      for (int r = 0; r < table_.capacity; ++r) {
        const int32_t item = table_.item[r * table_.width + p], spare = item - experts;
        *slot2expert++ = spare < 0 ? item : spares_.expert[spare];
        *rank++ = spare < 0 ? 0 : spares_.rank[spare];
      }
  }

  void write(int32_t* slot2expert) const {
    const int experts = shape_.node_experts, first = shape_.everywhere ? 0 : experts;
    for (int p = 0; p < table_.packs; ++p) {
      for (int r = 0; r < table_.capacity; ++r) {
        const int32_t item = table_.item[r * table_.width + p];
        *slot2expert++ = item < first ? item : spares_.expert[item - first];
      }
      // Where every GPU has every expert, only what is left over was planned.
      for (int e = 0; shape_.everywhere && e < experts; ++e) *slot2expert++ = e;
    }
  }

  const Shape& shape_;
  Items items_;
  Table table_;
  Tools tools_;
  Joint joint_;
  Ring ring_;
  Spares spares_;
  float* share_;     // [experts]
  int32_t* number_;  // [experts]
};
