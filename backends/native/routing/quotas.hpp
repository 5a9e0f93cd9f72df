// algorithms/routing/quotas.py: which rank's tokens each replica takes.

class Quotas {
 public:
  Quotas(const QuotaShape& shape, Memory& memory)
      : shape_(shape),
        expert_(memory.take<int32_t>(shape.slots)),
        order_(memory.take<int32_t>(shape.slots)),
        first_(memory.take<int32_t>(int64_t{shape.experts} + 1)),
        room_(memory.take<int64_t>(shape.slots)),
        tokens_(memory.take<int64_t>(int64_t{kAtOnce} * shape.ranks)),
        taken_(memory.take<int64_t>(int64_t{shape.wanted()} * shape.slots)) {}

  // Whether no number is too large to be added up.
  template <typename Index>
  bool divide(const QuotaArrays<Index>& layer) {
    rank_ = shape_.is_of_one ? static_cast<int32_t>(std::clamp<int64_t>(*layer.rank, 0, shape_.ranks - 1)) : -1;
    uint64_t bits = find_runs(layer);
    for (int e = 0; e < shape_.experts; e += kAtOnce) {
      const int number = std::min(kAtOnce, shape_.experts - e);
      bits |= read_tokens(layer.counts + e, number);
      for (int i = 0; i < number; ++i) meet(e + i, tokens_ + i * shape_.ranks);
    }
    if (bits >= kTooMany) return false;
    for (int r = 0; r < shape_.wanted(); ++r)
      write(layer, layer.counts + int64_t{shape_.is_of_one ? rank_ : r} * shape_.experts, taken_ + int64_t{r} * shape_.slots,
            layer.quota + int64_t{r} * shape_.experts * shape_.width);
    return true;
  }

 private:
  static constexpr int kAtOnce = 8;  // experts, whose counts lie together
  static constexpr uint64_t kTooMany = uint64_t{1} << 40;

  // The slots of each expert, in their order, and the room there is; all its bits.
  template <typename Index>
  uint64_t find_runs(const QuotaArrays<Index>& layer) {
    for (int e = 0; e <= shape_.experts; ++e) first_[e] = 0;
    for (int s = 0; s < shape_.slots; ++s) {
      expert_[s] = static_cast<int32_t>(std::clamp<int64_t>(layer.phy2log[s], 0, shape_.experts - 1));
      ++first_[expert_[s]];
    }
    int32_t before = 0;
    for (int e = 0; e <= shape_.experts; ++e) before += std::exchange(first_[e], before);
    uint64_t bits = 0;
    for (int s = 0; s < shape_.slots; ++s) {
      const int32_t place = first_[expert_[s]]++;
      order_[place] = s;
      room_[place] = std::max<int64_t>(layer.share[s], 0);
      bits |= static_cast<uint64_t>(room_[place]);
    }
    for (int e = shape_.experts; e > 0; --e) first_[e] = first_[e - 1];
    first_[0] = 0;
    for (int64_t i = 0; i < int64_t{shape_.wanted()} * shape_.slots; ++i) taken_[i] = 0;
    return bits;
  }

  // What the ranks have of some experts, expert by expert; all its bits.
  template <typename Index>
  uint64_t read_tokens(const Index* counts, int number) {
    uint64_t bits = 0;
    for (int r = 0; r < shape_.ranks; ++r)
      for (int i = 0; i < number; ++i) {
        const int64_t tokens = std::max<int64_t>(counts[int64_t{r} * shape_.experts + i], 0);
        tokens_[i * shape_.ranks + r] = tokens;
        bits |= static_cast<uint64_t>(tokens);
      }
    return bits;
  }

  // Tokens of ranks and room of replicas of an expert in lines: of each GPU, of each node, and of all.
  void meet(int e, int64_t* tokens) {
    const int32_t of_node = shape_.ranks / shape_.nodes;
    meet_in_groups(e, 1, tokens);
    if (of_node > 1) meet_in_groups(e, of_node, tokens);
    if (shape_.ranks > of_node) meet_in_groups(e, shape_.ranks, tokens);
  }

  void meet_in_groups(int e, int32_t size, int64_t* tokens) {
    const int32_t slots_of_group = shape_.slots / shape_.ranks * size;
    int32_t rank = 0, end = 0;
    for (int i = first_[e]; i < first_[e + 1]; ++i) {
      const int32_t group = order_[i] / slots_of_group;
      if (group * size >= end) {
        rank = group * size;
        end = rank + size;
      }
      while (room_[i] > 0 && rank < end) {
        const int64_t number = std::min(room_[i], tokens[rank]);
        room_[i] -= number;
        tokens[rank] -= number;
        take(rank, order_[i], number);
        rank += tokens[rank] == 0;
      }
    }
  }

  void take(int32_t rank, int32_t slot, int64_t number) {
    if (!shape_.is_of_one) {
      taken_[int64_t{rank} * shape_.slots + slot] += number;
    } else if (rank == rank_) {
      taken_[slot] += number;
    }
  }

  // What a rank's tokens are up to each replica; the last one takes what no share is left for.
  template <typename Index>
  void write(const QuotaArrays<Index>& layer, const Index* counts, const int64_t* taken, Index* quota) const {
    const int32_t width = shape_.width;
    for (int e = 0; e < shape_.experts; ++e, quota += width) {
      const Index* slot = layer.log2phy + int64_t{e} * width;
      const auto last = static_cast<int32_t>(std::clamp<int64_t>(layer.logcnt[e], 1, int64_t{width} + 1) - 1);
      int64_t until = 0;
      for (int k = 0; k < last; ++k)
        quota[k] = static_cast<Index>(until += taken[std::clamp<int64_t>(slot[k], 0, shape_.slots - 1)]);
      std::fill(quota + last, quota + width, std::max<Index>(counts[e], 0));
    }
  }

  const QuotaShape& shape_;
  int32_t rank_ = 0;
  int32_t* expert_;  // [slots]
  int32_t* order_;   // [slots] expert by expert
  int32_t* first_;   // [experts + 1]
  int64_t* room_;    // [slots] in the same order
  int64_t* tokens_;  // [ranks] of some experts
  int64_t* taken_;   // [wanted * slots] of each rank
};

// The layers that are left, one after the other; whether all could be divided.
template <typename Index>
inline bool divide_layers(const QuotaArrays<Index>& layers, const QuotaShape& shape, Work& work) {
  bool are_divided = true;
  with_scratch<Quotas>(shape, [&](Quotas& quotas) {
    for (int64_t layer; (layer = work.next()) >= 0;) are_divided &= quotas.divide(layers.of_layer(layer, shape));
  });
  return are_divided;
}
