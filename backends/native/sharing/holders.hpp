// algorithms/sharing/holders.py: which slots take tokens, place by place: place = rank in the GPU * GPUs + GPU.

// On which GPUs and in which slots experts are.
struct Holding {
  int32_t* gpu;        // [linked] of each place
  int32_t* slot;       // [linked]
  int32_t* last_gpu;   // [experts]
  int32_t* last_slot;  // [experts] that takes tokens

  Holding(const SharingShape& shape, int places, Memory& memory)
      : gpu(memory.take<int32_t>(places)),
        slot(memory.take<int32_t>(places)),
        last_gpu(memory.take<int32_t>(shape.experts)),
        last_slot(memory.take<int32_t>(shape.experts)) {}
};

class Holders {
 public:
  Holders(const SharingShape& shape, Memory& memory)
      : shape_(shape),
        mixed_(memory.take<int32_t>(shape.experts)),
        next_(memory.take<int32_t>(std::max(shape.experts + 1, shape.gpus + 2))),
        by_turn(memory.take<int32_t>(shape.experts)),
        place(memory.take<int32_t>(shape.slots)),
        where(shape, shape.slots, memory) {
    Sorter sorter(shape.experts, memory);
    float* key = memory.take<float>(shape.experts);
    if (!memory.is_real()) return;
    for (int e = 0; e < shape.experts; ++e)
      key[e] = static_cast<float>(hashed(hashed(static_cast<uint32_t>(e) + 1)) >> 8);
    sorter.ascending(key, shape.experts, mixed_);
  }

  // The expert in each place, the places of the holders of each expert, and where those begin.
  template <typename Index>
  void find(const Index* phy2log, const PreparedArrays<int32_t>& plan) {
    const int experts = shape_.experts, gpus = shape_.gpus, capacity = shape_.capacity();
    for (int e = 0; e < experts; ++e) {
      plan.holders[e] = 0;
      where.last_gpu[e] = -1;
    }
    for (int g = 0, s = 0; g < gpus; ++g)
      for (int r = 0; r < capacity; ++r, ++s) {
        const auto e = static_cast<int32_t>(std::clamp<int64_t>(phy2log[s], 0, experts - 1));
        const bool again = where.last_gpu[e] == g;
        plan.expert[r * gpus + g] = again ? experts : e;
        if (again) continue;
        where.last_gpu[e] = g;
        where.last_slot[e] = s;
        ++plan.holders[e];
      }
    order_experts(plan.holders);
    int32_t begin = 0;
    for (int t = 0; t < experts; ++t) {
      const int32_t e = by_turn[t];
      plan.first[e] = next_[e] = begin;
      begin += plan.holders[e];
    }
    next_[experts] = begin;
    for (int g = 0, s = 0; g < gpus; ++g)
      for (int p = g; p < shape_.slots; p += gpus, ++s) {
        const int32_t i = next_[plan.expert[p]]++;
        place[i] = p;
        where.gpu[i] = g;
        where.slot[i] = s;
      }
  }

 private:
  // Most holders first, equal ones in an order without pattern.
  void order_experts(const int32_t* number) {
    const int experts = shape_.experts, gpus = shape_.gpus;
    int32_t* begin = next_;  // [gpus + 2] of those that have so many fewer than the GPUs
    for (int i = 0; i < gpus + 2; ++i) begin[i] = 0;
    for (int e = 0; e < experts; ++e) ++begin[gpus - number[e] + 1];
    for (int i = 1; i < gpus + 2; ++i) begin[i] += begin[i - 1];
    for (int i = 0; i < experts; ++i) by_turn[begin[gpus - number[mixed_[i]]]++] = mixed_[i];
  }

  const SharingShape& shape_;
  int32_t* mixed_;  // [experts]
  int32_t* next_;   // [experts + 1], or [gpus + 2]

 public:
  int32_t* by_turn;  // [experts] in the order in which they choose
  int32_t* place;    // [slots] of the holders of each expert, then of nobody
  Holding where;     // of [slots] places
};
