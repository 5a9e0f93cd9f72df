// algorithms/following/for_samples.py: a layer from the loads of several samples to its maps.

template <typename Index>
struct Sampled {
  const float* weight;  // [samples * experts]
  Maps<Index> maps;

  Sampled of_layer(int64_t layer, const SampledShape& shape) const {
    return {weight + layer * shape.search.samples * shape.search.experts, maps.of_layer(layer, shape.search)};
  }
};

class ForSamples {
 public:
  ForSamples(const SampledShape& shape, Memory& memory)
      : shape_(shape.search),
        samples_(shape.search, memory),
        pipeline_(shape.plan, memory),
        system_(shape.search, memory),
        turns_(shape.search, system_, memory),
        mapping_(shape.search, memory),
        slots_(memory.take<int32_t>(shape.search.slots)) {}

  // A plan for the mean of samples, then steps that lower what their busiest GPUs have in all.
  template <typename Index>
  void plan(const Sampled<Index>& layer) {
    samples_.scale_all(layer.weight, system_.load, system_.total);
    const int32_t* slots = pipeline_.place(system_.total).expert;
    if (shape_.paths > 0) {
      begin(slots);
      slots = found(turns_.search().expert(0));
    }
    mapping_.write(slots, layer.maps);
  }

 private:
  // All experts are where they are, and stay on their node.
  void begin(const int32_t* slots) {
    const int of_node = shape_.slots / shape_.nodes;
    system_.budget = 0;
    system_.was.clear(shape_.experts);
    for (int s = shape_.slots - 1; s >= 0; --s) {
      system_.slots[s] = system_.before[s] = slots[s];
      system_.node[slots[s]] = s / of_node;
      system_.was.add(slots[s], s / shape_.capacity());
    }
  }

  const int32_t* found(const int32_t* expert) {
    const int capacity = shape_.capacity();
    for (int s = 0; s < shape_.slots; ++s) slots_[s] = expert[s % capacity * turns_.width() + s / capacity];
    return slots_;
  }

  const FollowingShape& shape_;
  Samples samples_;
  Pipeline pipeline_;
  System system_;
  Turns turns_;
  Mapping mapping_;
  int32_t* slots_;  // [slots]
};
