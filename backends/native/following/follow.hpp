// algorithms/following/follow.py: a layer from its previous plan to the maps of the one that follows it.

template <typename Index>
struct Followed {
  const int64_t* previous;   // [slots]
  const int64_t* max_moves;  // of a layer
  const float* min_gain;
  const float* weight;  // [samples * experts]
  Maps<Index> maps;

  Followed of_layer(int64_t layer, const FollowingShape& shape) const {
    const int64_t experts = shape.experts;
    return {previous + layer * shape.slots,
            max_moves + layer,
            min_gain + layer,
            weight + layer * shape.samples * experts,
            {maps.phy2log + layer * shape.slots, maps.log2phy + layer * experts * shape.width,
             maps.logcnt + layer * experts}};
  }
};

class Follower {
 public:
  Follower(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        samples_(shape, memory),
        cleaning_(shape, memory),
        filling_(shape, memory),
        system_(shape, memory),
        turns_(shape, system_, memory),
        keeping_(shape.capacity(), memory),
        found_(memory.take<int32_t>(shape.slots)),
        kept_(memory.take<int32_t>(shape.slots)),
        rank_(memory.take<int32_t>(shape.slots)),
        count_(memory.take<int32_t>(shape.experts)) {}

  template <typename Index>
  void follow(const Followed<Index>& layer) {
    begin(layer.previous, *layer.max_moves, layer.weight);
    find();
    const float before = busiest(system_.slots), gain = before - busiest(kept_);
    const bool gains = gain > 0.0f && gain >= *layer.min_gain * before;
    const int32_t* slots = gains ? kept_ : system_.slots;
    for (int e = 0; e < shape_.experts; ++e) count_[e] = 0;
    for (int s = 0; s < shape_.slots; ++s) rank_[s] = count_[slots[s]]++;
    write_maps(slots, rank_, count_, shape_, layer.maps);
  }

 private:
  // algorithms/following/beginning.py: the previous plan as far as it can be kept, its empty slots filled.
  void begin(const int64_t* previous, int64_t max_moves, const float* weight) {
    const int experts = shape_.experts;
    samples_.scale_all(weight, system_.load);
    for (int e = 0; e < experts; ++e) system_.total[e] = system_.load[e];
    for (int i = 1; i < shape_.samples; ++i)
      for (int e = 0; e < experts; ++e) system_.total[e] += system_.load[i * experts + e];
    system_.budget = max_moves;
    cleaning_.keep(previous, system_.slots, system_.node);
    filling_.add_missing(system_.total, system_.node, system_.slots);
    system_.prices.set(system_.slots);
    filling_.fill(system_.total, system_.node, system_.prices, static_cast<float>(max_moves), system_.slots,
                  system_.before);
    system_.was.clear(experts);
    for (int s = 0; s < shape_.slots; ++s)
      if (system_.before[s] < experts) system_.was.add(system_.before[s], s / shape_.capacity());
  }

  // The best slots that a search finds; experts that stay on their GPU keep theirs.
  void find() {
    const Best& best = turns_.search();
    const int capacity = shape_.capacity();
    for (int s = 0; s < shape_.slots; ++s) found_[s] = best.expert[s % capacity * turns_.width() + s / capacity];
    for (int s = 0; s < shape_.slots; s += capacity) keeping_.keep(found_ + s, system_.before + s, kept_ + s);
  }

  // What the busiest GPUs have, over all samples.
  float busiest(const int32_t* slots) {
    const int capacity = shape_.capacity();
    for (int e = 0; e < shape_.experts; ++e) count_[e] = 0;
    for (int s = 0; s < shape_.slots; ++s) ++count_[slots[s]];
    float all_samples = 0.0f;
    for (int i = 0; i < shape_.samples; ++i) {
      const float* load = system_.load + i * shape_.experts;
      float most = 0.0f;
      for (int g = 0; g < shape_.gpus; ++g) {
        float total = 0.0f;
        for (int r = 0; r < capacity; ++r) {
          const int32_t e = slots[g * capacity + r];
          total += load[e] / static_cast<float>(count_[e]);
        }
        most = larger(total, most);
      }
      all_samples += most;
    }
    return all_samples;
  }

  const FollowingShape& shape_;
  Samples samples_;
  Cleaning cleaning_;
  Filling filling_;
  System system_;
  Turns turns_;
  Keeping keeping_;
  int32_t* found_;  // [slots]
  int32_t* kept_;   // [slots]
  int32_t* rank_;   // [slots]
  int32_t* count_;  // [experts]
};

// The layers that are left, one after the other.
template <typename Index>
inline void follow_layers(const Followed<Index>& layers, const FollowingShape& shape, Work& work) {
  with_scratch<Follower>(shape, [&](Follower& follower) {
    for (int64_t layer; (layer = work.next()) >= 0;) follower.follow(layers.of_layer(layer, shape));
  });
}
