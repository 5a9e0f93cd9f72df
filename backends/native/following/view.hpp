// algorithms/following/view.py: what a step looks at, the GPU with most above the target and all places.

inline float above(float excess) { return excess > 0.0f ? excess : 0.0f; }
inline Floats above(Floats excess) { return larger(excess, Floats{}); }

class View {
 public:
  float* excess;    // [samples * width] what each GPU has above the target; less than nothing where it has room
  float* over;      // [width] the same over samples, counting no room
  int gpu;          // ours: the one with most above the target of those not tried, the first of equal ones
  float ours_over;  // how much that is; 0 where all were tried
  float* comes_of;  // [expert_width] what it costs that an expert comes to our GPU; infinite where it is there
  float* comes;     // [places] what it costs that a replica comes to our GPU
  float* goes;      // [places] what it costs that our replica of a rank goes to a GPU
  float* copied;    // [places] the same of a further replica
  float* least_goes;    // [width] the least over ranks
  float* least_copied;  // [width]

  View(const FollowingShape& shape, const System& system, const Placing& placing, Memory& memory)
      : excess(memory.take<float>(int64_t{shape.samples} * placing.width)),
        over(memory.take<float>(placing.width)),
        gpu(0),
        ours_over(0.0f),
        comes_of(memory.take<float>(placing.expert_width)),
        comes(memory.take<float>(placing.places())),
        goes(memory.take<float>(placing.places())),
        copied(memory.take<float>(placing.places())),
        least_goes(memory.take<float>(placing.width)),
        least_copied(memory.take<float>(placing.width)),
        shape_(shape),
        system_(system),
        placing_(placing),
        price_(memory.take<float>(placing.width)),
        each_(memory.take<float>(shape.gpus)),
        tree_(memory.take<float>((shape.gpus + 1) / 2)) {
    if (!memory.is_real()) return;
    for (int i = 0; i < placing.places(); ++i) comes[i] = kInfinite;
    for (int p = 0; p < placing.width; ++p) price_[p] = 1.0f;
    for (int g = 0; g < shape.gpus; ++g) each_[g] = 0.0f;
  }

  // What all GPUs have above the target; no other target is meant until there is another view of all.
  float look(const float* target, const int32_t* tried) {
    const int width = placing_.width;
    for (int p = 0; p < width; p += kLanes) {
      Floats total{};
      for (int i = 0; i < shape_.samples; ++i) {
        const Floats its = floats_at(placing_.gpu_load + i * width + p) - target[i];
        store(excess + i * width + p, its);
        total = i == 0 ? above(its) : total + above(its);
      }
      store(over + p, total);
    }
    gpu = 0;
    ours_over = tried[0] ? 0.0f : over[0];
    for (int g = 1; g < shape_.gpus; ++g)
      if (!tried[g] && over[g] > ours_over) {
        gpu = g;
        ours_over = over[g];
      }
    return tree_sum(over, shape_.gpus, tree_);
  }

  // What it costs to bring experts to our GPU, and ours to others.
  void price() {
    price_coming();
    for (int p = 0; p < placing_.width; ++p) least_goes[p] = least_copied[p] = kInfinite;
    for (int r = 0; r < placing_.capacity; ++r) price_going(r);
  }

  // The sum over samples of what GPUs that hold an expert have each, as a tree over all GPUs; but for one GPU.
  template <typename Each>
  float over_holders(int32_t expert, int but, Each each) {
    constexpr int kFew = 2;  // whose order says nothing
    int few[kFew], number = 0;
    placing_.holders.each(expert, [&](int g) {
      if (g == but) return;
      if (number < kFew) few[number] = g;
      ++number;
    });
    float total = 0.0f;
    for (int i = 0; i < shape_.samples; ++i) {
      if (number <= kFew) {
        float its = 0.0f;
        for (int k = 0; k < number; ++k) its += each(i, few[k]);
        total += its;
      } else {
        placing_.holders.each(expert, [&](int g) { each_[g] = g == but ? 0.0f : each(i, g); });
        total += tree_sum(each_, shape_.gpus, tree_);
        placing_.holders.each(expert, [&](int g) { each_[g] = 0.0f; });
      }
    }
    return total;
  }

 private:
  void price_coming() {
    const int capacity = placing_.capacity, width = placing_.width, experts = shape_.experts;
    std::memcpy(comes_of, system_.prices.of_gpu(gpu), sizeof(float) * static_cast<size_t>(placing_.expert_width));
    for (int r = 0; r < capacity; ++r)
      if (const int32_t e = system_.before[gpu * capacity + r]; e < experts) comes_of[e] = 0.0f;
    for (int r = 0; r < capacity; ++r) comes_of[placing_.expert[r * width + gpu]] = kInfinite;
    for (int e = experts; e < placing_.expert_width; ++e) comes_of[e] = kInfinite;
    for (int row = 0; row < placing_.places(); row += width)
      for (int g = 0; g < shape_.gpus; ++g)
        comes[row + g] = comes_of[placing_.expert[row + g]] - placing_.back[row + g];
    if (!shape_.keeps_links) return;
    for (int p = 0; p < placing_.places(); p += kLanes)
      store(comes + p, ints_at(placing_.has_others + p) ? all(kInfinite) : floats_at(comes + p));
  }

  void price_going(int r) {
    const int width = placing_.width, place = r * width + gpu;
    const int32_t expert = placing_.expert[place];
    const float back = placing_.back[place];
    const bool may_go = !shape_.keeps_links || placing_.count[expert] == 1;
    const bool may_double = placing_.count[expert] < shape_.most;
    if (shape_.far_cost > 1) system_.prices.of_expert(expert, price_);
    for (int p = 0; p < width; p += kLanes) {
      Floats cost = system_.was.are(expert, p) ? Floats{} : floats_at(price_ + p);
      cost = placing_.holders.are(expert, p) ? all(kInfinite) : cost;
      const Floats its_goes = may_go ? cost - back : all(kInfinite), its_copied = may_double ? cost : all(kInfinite);
      store(goes + r * width + p, its_goes);
      store(copied + r * width + p, its_copied);
      store(least_goes + p, smaller(its_goes, floats_at(least_goes + p)));
      store(least_copied + p, smaller(its_copied, floats_at(least_copied + p)));
    }
    const int gpus = shape_.gpus_of_node(), first = gpu / gpus * gpus;
    auto may_not = [&](int p) { goes[r * width + p] = copied[r * width + p] = kInfinite; };
    for (int p = 0; p < first; ++p) may_not(p);
    for (int p = first + gpus; p < width; ++p) may_not(p);
  }

  const FollowingShape& shape_;
  const System& system_;
  const Placing& placing_;
  float* price_;  // [width] of an expert on each GPU
  float* each_;   // [gpus] what is added up, else nothing
  float* tree_;   // [(gpus + 1) / 2]
};
