// algorithms/following/frontier.py: the best plan of a layer for each number of moves.

template <typename Index>
struct Bought {
  const Index* previous;  // [slots]
  const float* weight;    // [samples * experts]
  Index* phy2log;         // [marks * slots]
  Index* logcnt;          // [marks * experts]
  float* busiest;         // [marks]
  float* balancedness;    // [marks]

  Bought of_layer(int64_t layer, const FollowingShape& shape) const {
    const int64_t marks = layer * shape.marks;
    return {previous + layer * shape.slots,   weight + layer * shape.samples * shape.experts,
            phy2log + marks * shape.slots,    logcnt + marks * shape.experts,
            busiest + marks,                  balancedness + marks};
  }
};

class Frontier {
 public:
  Frontier(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        beginning_(shape, memory),
        system_(shape, memory),
        turns_(shape, system_, memory),
        judge_(shape, system_, memory),
        keeping_(shape.capacity(), memory),
        slots_(memory.take<int32_t>(shape.slots)),
        tree_(memory.take<float>((shape.experts + 1) / 2)) {}

  template <typename Index>
  void plan(const Bought<Index>& layer) {
    const float unit = beginning_.begin(layer.previous, 0, layer.weight, system_);
    system_.budget = shape_.marks - 1;
    const Best& best = turns_.search();
    const float everything = tree_sum(system_.total, shape_.experts, tree_);
    float least = kInfinite;
    for (int mark = 0; mark < shape_.marks; ++mark) {
      keeping_.keep(best.expert(mark), turns_.width(), system_.before, shape_.gpus, slots_);
      const float total = judge_.busiest(slots_);
      if (mark == 0 || total < least) {
        least = total;
        write(slots_, shape_.slots, layer.phy2log + int64_t{mark} * shape_.slots);
        write(judge_.count(), shape_.experts, layer.logcnt + int64_t{mark} * shape_.experts);
      } else {
        repeat(layer.phy2log + int64_t{mark} * shape_.slots, shape_.slots);
        repeat(layer.logcnt + int64_t{mark} * shape_.experts, shape_.experts);
      }
      layer.busiest[mark] =
          shape_.divides && shape_.samples == 1 ? least * unit : Samples::share_of(least, everything);
      layer.balancedness[mark] = balance(least, everything);
    }
  }

 private:
  // What is so for one move fewer.
  template <typename Index>
  static void repeat(Index* to, int number) {
    std::memcpy(to, to - number, sizeof(Index) * static_cast<size_t>(number));
  }

  // Mean GPU load over the busiest GPU's, of a size that can be divided.
  float balance(float busiest, float everything) const {
    if (busiest == 0.0f) return 1.0f;
    float small = 1.0f;
    for (int64_t items = int64_t{shape_.samples} * shape_.experts; items > 0; items >>= 1) small *= 0.5f;
    return smaller(everything * small / static_cast<float>(shape_.gpus) / (busiest * small), 1.0f);
  }

  const FollowingShape& shape_;
  Beginning beginning_;
  System system_;
  Turns turns_;
  Judge judge_;
  Keeping keeping_;
  int32_t* slots_;  // [slots]
  float* tree_;     // [(experts + 1) / 2]
};
