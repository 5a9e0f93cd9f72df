// algorithms/following/system.py: what a search starts from, and what it changes; place = rank * width + gpu.

// What does not change on a path.
struct System {
  float* load;      // [samples * experts]
  float* total;     // [experts] over samples
  int32_t* slots;   // [slots] the expert in each at the start
  int32_t* held;    // [slots] what could be kept of the previous plan
  int32_t* before;  // [slots] what counts as having been there, nobody being one more than there are experts
  int32_t* node;    // [experts], whole vectors, of each expert; 0 where all are one
  int64_t budget;
  Holders was;
  Prices prices;

  System(const FollowingShape& shape, Memory& memory)
      : load(memory.take<float>(int64_t{shape.samples} * shape.experts)),
        total(memory.take<float>(shape.experts)),
        slots(memory.take<int32_t>(shape.slots)),
        held(memory.take<int32_t>(shape.slots)),
        before(memory.take<int32_t>(shape.slots)),
        node(memory.take<int32_t>(padded(shape.experts))),
        budget(0),
        was(shape, memory),
        prices(shape, memory) {}
};

// The expert in each place, and all that follows from that.
class Placing {
  const FollowingShape& shape_;
  const System& system_;
  int samples_;

 public:
  int capacity, width, expert_width;
  int32_t* expert;      // [places]; -1 beyond the GPUs
  int32_t* count;       // [expert_width]
  float* share;         // [samples * expert_width] of a replica
  float* less;          // of one once its expert has one more
  float* more;          // what it gets on top once its expert has one fewer
  float* held;          // [samples * places] the share there
  float* held_more;     // [samples * places]
  float* back;          // [places] what is got back of the budget where the replica leaves
  int32_t* is_doubled;  // [places] all bits where its GPU holds the expert more than once
  int32_t* has_others;  // [places] all bits where its expert has others
  float* gpu_load;      // [samples * width]
  Holders holders;
  int64_t spent;  // the price of all that was not on its GPU

  Placing(const FollowingShape& shape, const System& system, Memory& memory)
      : shape_(shape),
        system_(system),
        samples_(shape.samples),
        capacity(shape.capacity()),
        width(padded(shape.gpus)),
        expert_width(padded(shape.experts)),
        expert(memory.take<int32_t>(places())),
        count(memory.take<int32_t>(expert_width)),
        share(memory.take<float>(of_experts())),
        less(memory.take<float>(of_experts())),
        more(memory.take<float>(of_experts())),
        held(memory.take<float>(of_places())),
        held_more(memory.take<float>(of_places())),
        back(memory.take<float>(places())),
        is_doubled(memory.take<int32_t>(places())),
        has_others(memory.take<int32_t>(places())),
        gpu_load(memory.take<float>(int64_t{shape.samples} * width)),
        holders(shape, memory),
        spent(0),
        bytes_(static_cast<size_t>(memory.take<char>(0) - reinterpret_cast<char*>(expert))) {}

  Placing(const Placing&) = delete;

  int places() const { return capacity * width; }

  void begin() {
    const int experts = shape_.experts;
    std::memset(static_cast<void*>(expert), 0, bytes_);
    spent = 0;
    for (int i = 0; i < places(); ++i) expert[i] = -1;
    for (int s = 0; s < shape_.slots; ++s) {
      const int32_t its = system_.slots[s];
      const int g = s / capacity;
      expert[s % capacity * width + g] = its;
      ++count[its];
      if (holders.add(its, g) > system_.was.at(its, g)) spent += static_cast<int64_t>(system_.prices.on(its, g));
    }
    for (int e = 0; e < experts; ++e) share_out(e);
    for (int r = 0; r < capacity; ++r)
      for (int g = 0; g < shape_.gpus; ++g) {
        const int place = r * width + g;
        const int32_t its = expert[place];
        for (int i = 0; i < samples_; ++i) {
          held[i * places() + place] = share[i * expert_width + its];
          held_more[i * places() + place] = more[i * expert_width + its];
        }
        back[place] = got_back(its, g);
        is_doubled[place] = holders.at(its, g) > 1 ? -1 : 0;
        has_others[place] = count[its] > 1 ? -1 : 0;
      }
    add_up();
  }

  void copy(const Placing& other) {
    std::memcpy(static_cast<void*>(expert), other.expert, bytes_);
    spent = other.spent;
  }

  // Two replicas change places, on different GPUs; what GPUs have then is for others to add up.
  void swap(int one, int other) {
    const int32_t first = expert[one], second = expert[other];
    put(one, second);
    put(other, first);
    settle(first, one % width);
    settle(second, one % width);
    settle(first, other % width);
    settle(second, other % width);
  }

  // A replica becomes one of another expert.
  void replace(int place, int32_t comes) {
    const int32_t leaves = expert[place];
    const int g = place % width;
    --count[leaves];
    ++count[comes];
    share_out(leaves);
    share_out(comes);
    put(place, comes);
    settle(leaves, g);
    settle(comes, g);
    look_up(leaves, comes);
  }

  // The loads of GPUs, in slot order.
  void add_up() {
    for (int i = 0; i < samples_; ++i)
      for (int p = 0; p < width; p += kLanes) {
        const float* its = held + i * places() + p;
        Floats total = floats_at(its);
        for (int r = 1; r < capacity; ++r) total += floats_at(its + r * width);
        store(gpu_load + i * width + p, total);
      }
  }

 private:
  int64_t of_experts() const { return int64_t{samples_} * expert_width; }
  int64_t of_places() const { return int64_t{samples_} * places(); }

  // What replicas of an expert have.
  void share_out(int32_t e) {
    const float number = static_cast<float>(count[e]);
    for (int i = 0; i < samples_; ++i) {
      const float load = system_.load[i * shape_.experts + e];
      const int at = i * expert_width + e;
      share[at] = load / number;
      less[at] = load / (number + 1.0f);
      more[at] = load / larger(number - 1.0f, 1.0f) - share[at];
    }
  }

  float got_back(int32_t e, int g) const {
    return holders.at(e, g) > system_.was.at(e, g) ? system_.prices.on(e, g) : 0.0f;
  }

  void put(int place, int32_t comes) {
    const int32_t leaves = expert[place];
    const int g = place % width;
    expert[place] = comes;
    for (int i = 0; i < samples_; ++i) {
      held[i * places() + place] = share[i * expert_width + comes];
      held_more[i * places() + place] = more[i * expert_width + comes];
    }
    has_others[place] = count[comes] > 1 ? -1 : 0;
    if (holders.remove(leaves, g) >= system_.was.at(leaves, g)) {
      spent -= static_cast<int64_t>(system_.prices.on(leaves, g));
    }
    if (holders.add(comes, g) > system_.was.at(comes, g)) {
      spent += static_cast<int64_t>(system_.prices.on(comes, g));
    }
  }

  // What is got back for an expert's replicas on a GPU, and whether they are several.
  void settle(int32_t e, int g) {
    const float its = got_back(e, g);
    const int32_t are_several = holders.at(e, g) > 1 ? -1 : 0;
    for (int place = g; place < places(); place += width)
      if (expert[place] == e) {
        back[place] = its;
        is_doubled[place] = are_several;
      }
  }

  // What is in the places of two experts.
  void look_up(int32_t one, int32_t other) {
    const Ints one_others = all(count[one] > 1 ? -1 : 0), other_others = all(count[other] > 1 ? -1 : 0);
    for (int p = 0; p < places(); p += kLanes) {
      const Ints its = ints_at(expert + p), is_one = its == one, is_other = its == other;
      if (!any(is_one | is_other)) continue;
      store(has_others + p, is_one ? one_others : is_other ? other_others : ints_at(has_others + p));
      for (int i = 0; i < samples_; ++i) {
        const int first = i * expert_width + one, second = i * expert_width + other;
        float *share_there = held + i * places() + p, *more_there = held_more + i * places() + p;
        store(share_there, is_one ? all(share[first]) : is_other ? all(share[second]) : floats_at(share_there));
        store(more_there, is_one ? all(more[first]) : is_other ? all(more[second]) : floats_at(more_there));
      }
    }
  }

  size_t bytes_;  // of all arrays, which are one after the other
};
