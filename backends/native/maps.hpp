// algorithms/maps.py: the slots of each expert by replica rank, then -1.

template <typename Index>
struct Maps {
  Index* phy2log;  // [replicas] of a layer
  Index* log2phy;  // [experts * width]
  Index* logcnt;   // [experts]
};

template <typename Index, typename Sizes>
inline void write_maps(const int32_t* expert, const int32_t* rank, const int32_t* count, const Sizes& shape,
                       Maps<Index> maps) {
  std::memset(maps.log2phy, -1, sizeof(Index) * static_cast<size_t>(shape.experts) * static_cast<size_t>(shape.width));
  for (int s = 0; s < shape.layer_slots(); ++s) {
    maps.phy2log[s] = expert[s];
    maps.log2phy[int64_t{expert[s]} * shape.width + rank[s]] = s;
  }
  for (int e = 0; e < shape.experts; ++e) maps.logcnt[e] = count[e];
}
