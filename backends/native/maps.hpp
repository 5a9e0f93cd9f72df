// algorithms/maps.py: from the replica in each slot to the slots of each expert.

template <typename Index>
struct Maps {
  Index* phy2log;  // [replicas] of a layer
  Index* log2phy;  // [experts * width]
  Index* logcnt;   // [experts]

  template <typename Sizes>
  Maps of_layer(int64_t layer, const Sizes& shape) const {
    const int64_t experts = layer * shape.experts;
    return {phy2log + layer * shape.layer_slots(), log2phy + experts * shape.width, logcnt + experts};
  }
};

// Indices of the type that is asked for.
template <typename Index>
inline void write(const int32_t* from, int64_t number, Index* to) {
  for (int64_t i = 0; i < number; ++i) to[i] = static_cast<Index>(from[i]);
}

// Slots of an expert by replica rank, then -1.
template <typename Index, typename Sizes>
inline void write_maps(const int32_t* expert, const int32_t* rank, const int32_t* count, const Sizes& shape,
                       Maps<Index> maps) {
  std::memset(maps.log2phy, -1, sizeof(Index) * static_cast<size_t>(shape.experts) * static_cast<size_t>(shape.width));
  for (int s = 0; s < shape.layer_slots(); ++s) {
    maps.phy2log[s] = expert[s];
    maps.log2phy[int64_t{expert[s]} * shape.width + rank[s]] = s;
  }
  write(count, shape.experts, maps.logcnt);
}

// Those of slots, in whose order replicas are numbered.
class Mapping {
 public:
  Mapping(const FollowingShape& shape, Memory& memory)
      : shape_(shape), rank_(memory.take<int32_t>(shape.slots)), count_(memory.take<int32_t>(shape.experts)) {}

  template <typename Index>
  void write(const int32_t* slots, Maps<Index> maps) {
    for (int e = 0; e < shape_.experts; ++e) count_[e] = 0;
    for (int s = 0; s < shape_.slots; ++s) rank_[s] = count_[slots[s]]++;
    write_maps(slots, rank_, count_, shape_, maps);
  }

 private:
  const FollowingShape& shape_;
  int32_t* rank_;   // [slots]
  int32_t* count_;  // [experts]
};
