// algorithms/following/steps.py: steps that take load from the busiest GPU, what each gains and how much it costs.

class Steps {
 public:
  Steps(const FollowingShape& shape, const System& system, const Placing& placing, View& view, Memory& memory)
      : shape_(shape),
        system_(system),
        placing_(placing),
        view_(view),
        load_before_(memory.take<float>(int64_t{shape.samples} * placing.width)),
        paid_(memory.take<float>(shape.experts)),
        paid_at_(memory.take<float>(placing.places())),
        paid_in_(memory.take<int32_t>(shape.experts)),
        share_(memory.take<float>(int64_t{shape.samples} * placing.capacity)),
        less_(memory.take<float>(int64_t{shape.samples} * placing.capacity)),
        left_(memory.take<float>(int64_t{shape.samples} * (placing.capacity > kLanes ? placing.capacity : kLanes))),
        gain_(memory.take<float>(placing.capacity)),
        rank_(memory.take<int32_t>(placing.capacity)),
        changed_{0, 0},
        round_(0) {}

  // Before a path.
  void begin() {
    for (int e = 0; e < shape_.experts; ++e) paid_in_[e] = -1;
    for (int p = 0; p < placing_.places(); ++p) paid_at_[p] = 0.0f;
    for (int i = 0; i < shape_.samples * placing_.width; ++i) load_before_[i] = -kInfinite;
    round_ = 0;
  }

  // All steps, for a choice.
  void look(Choice& choice) {
    for (int i = 0; i < shape_.samples; ++i)
      for (int r = 0; r < placing_.capacity; ++r) {
        const int place = r * placing_.width + view_.gpu;
        share_[i * placing_.capacity + r] = placing_.held[i * placing_.places() + place];
        less_[i * placing_.capacity + r] = placing_.less[i * placing_.expert_width + placing_.expert[place]];
      }
    if (shape_.samples == 1) {
      look_at<false>(choice);
    } else {
      look_at<true>(choice);
    }
  }

  // A step was taken: these experts have changed their GPUs, or how many replicas they have.
  void remember(int32_t one, int32_t other) {
    changed_[0] = one;
    changed_[1] = other;
  }

 private:
  // More than gains are rounded by, as a share of the load of the busiest GPU.
  static constexpr float kRounding = 0x1p-19f;

  template <bool kSeveral>
  void look_at(Choice& choice) {
    if (shape_.changes_counts) {
      choice.begin_kind(0, shape_.experts);
      rewrite<kSeveral>(choice);
      choice.begin_kind(shape_.experts, shape_.slots);
      copy<kSeveral>(choice);
    }
    choice.begin_kind(shape_.changes_counts ? shape_.experts + shape_.slots : 0, shape_.slots);
    swap<kSeveral>(choice);
  }

  // A slot of the busiest GPU is given to another expert, its own having replicas elsewhere.
  template <bool kSeveral>
  void rewrite(Choice& choice) {
    const int samples = kSeveral ? shape_.samples : 1, gpu = view_.gpu, width = placing_.width;
    const int expert_width = placing_.expert_width, capacity = placing_.capacity;
    int number = 0;
    float dearest = 0.0f;
    for (int r = 0; r < placing_.capacity; ++r) {
      const int place = r * width + gpu;
      if (!placing_.has_others[place]) continue;
      const int32_t expert = placing_.expert[place];
      const float* more = placing_.held_more + place;
      const bool is_doubled = placing_.holders.at(expert, gpu) > 1;
      gain_[number] = view_.ours_over - view_.over_holders(expert, gpu, [&](int i, int g) {
        const float excess = view_.excess[i * width + g];
        return above(excess + more[i * placing_.places()]) - above(excess);
      });
      for (int i = 0; i < samples; ++i)
        left_[i * placing_.capacity + number] = view_.excess[i * width + gpu] - share_[i * placing_.capacity + r] +
                                                (is_doubled ? more[i * placing_.places()] : 0.0f);
      dearest = larger(placing_.back[place], dearest);
      rank_[number++] = r;
    }
    if (number == 0) return;
    const Ints most = all(shape_.most), node = all(gpu / shape_.gpus_of_node());
    const int32_t *count = placing_.count, *node_of = system_.node;
    const int32_t* rank = rank_;
    const float *comes_of = view_.comes_of, *less = placing_.less, *left = left_, *gain_of = gain_;
    for (int e = 0; e < expert_width; e += kLanes) {
      const Ints may = (ints_at(count + e) < most) & (ints_at(node_of + e) == node);
      const Floats comes = may ? floats_at(comes_of + e) : all(kInfinite);
      const Floats most_for = choice.most_for(comes - dearest);
      auto gain = [&](int k) {
        Floats after = above(left[k] + floats_at(less + e));
        for (int i = 1; i < samples; ++i) after += above(left[i * capacity + k] + floats_at(less + i * expert_width + e));
        return gain_of[k] - after;
      };
      choice.consider_ranks(number, most_for, gain, [&](int k, Floats its_gain) {
        choice.consider(its_gain, comes - placing_.back[rank[k] * width + gpu], e, rank[k]);
      });
    }
  }

  // An expert of the busiest GPU gets one replica more, in place of one that has others.
  template <bool kSeveral>
  void copy(Choice& choice) {
    const int samples = kSeveral ? shape_.samples : 1, capacity = placing_.capacity, width = placing_.width;
    find_paid();
    float most = 0.0f;
    for (int r = 0; r < capacity; ++r) most = larger(gain_[r] = relief(r), most);
    const float *back = placing_.back, *copied = view_.copied, *least_copied = view_.least_copied, *gain_of = gain_;
    const float *held = placing_.held, *held_more = placing_.held_more, *excess = view_.excess, *less = less_;
    const int32_t *others = placing_.has_others, *is_doubled = placing_.is_doubled;
    float* left = left_;
    for (int s = 0; s < capacity; ++s)
      for (int p = 0; p < width; p += kLanes) {
        const int place = s * width + p;
        const Ints has_others = ints_at(others + place);
        if (!any(has_others)) continue;
        const Floats leaves = has_others ? -floats_at(back + place) : all(kInfinite);
        const Floats most_for = choice.most_for(leaves + floats_at(least_copied + p));
        // What all holders pay, but not what this GPU would, which the replica leaves.
        const Floats paid = floats_at(paid_at_ + place) - over_with_more<kSeveral>(place, p);
        if (!choice.may_be_best((most - paid) * most_for)) continue;
        for (int i = 0; i < samples; ++i) {
          const int at = i * placing_.places() + place;
          const Floats more = ints_at(is_doubled + place) ? floats_at(held_more + at) : Floats{};
          store(left + i * kLanes, floats_at(excess + i * width + p) - floats_at(held + at) + more);
        }
        auto gain = [&](int r) {
          Floats after = above(floats_at(left) + less[r]);
          for (int i = 1; i < samples; ++i) after += above(floats_at(left + i * kLanes) + less[i * capacity + r]);
          return gain_of[r] - paid - after;
        };
        choice.consider_ranks(capacity, most_for, gain, [&](int r, Floats its_gain) {
          choice.consider(its_gain, floats_at(copied + r * width + p) + leaves, s * shape_.gpus + p, r);
        });
      }
  }

  // What GPUs have above the target once their replica in a place has what it gets on top.
  template <bool kSeveral>
  Floats over_with_more(int place, int p) const {
    Floats over = above(floats_at(view_.excess + p) + floats_at(placing_.held_more + place));
    for (int i = 1; kSeveral && i < shape_.samples; ++i)
      over += above(floats_at(view_.excess + i * placing_.width + p) +
                    floats_at(placing_.held_more + i * placing_.places() + place));
    return over;
  }

  // An expert of the busiest GPU and one of another swap places.
  template <bool kSeveral>
  void swap(Choice& choice) {
    const int samples = kSeveral ? shape_.samples : 1, capacity = placing_.capacity, width = placing_.width;
    float largest_share = 0.0f;
    for (int r = 0; r < capacity; ++r) largest_share = larger(share_[r], largest_share);
    const int gpu = view_.gpu, places = placing_.places();
    const float rounding = placing_.gpu_load[gpu] * kRounding, our_over = view_.ours_over;
    const float our_excess = view_.excess[gpu];
    const float *all_comes = view_.comes, *goes = view_.goes, *least_goes = view_.least_goes, *share = share_;
    const float *held = placing_.held, *excess = view_.excess, *over = view_.over;
    for (int s = 0; s < capacity; ++s)
      for (int p = 0; p < width; p += kLanes) {
        const int place = s * width + p;
        const Floats comes = floats_at(all_comes + place), both = our_over + floats_at(over + p);
        const Floats most_for = choice.most_for(comes + floats_at(least_goes + p));
        const Floats theirs = floats_at(held + place), there = floats_at(excess + p);
        // A gain is no more than what goes less what comes, as far as there is room for it.
        const Floats most = kSeveral ? both : smaller(largest_share - theirs, -there) + rounding;
        if (!choice.may_be_best(most * most_for)) continue;
        auto gain = [&](int r) {
          Floats less = share[r] - theirs, after = above(our_excess - less) + above(there + less);
          for (int i = 1; i < samples; ++i) {
            less = share[i * capacity + r] - floats_at(held + i * places + place);
            after += above(excess[i * width + gpu] - less) + above(floats_at(excess + i * width + p) + less);
          }
          return both - after;
        };
        choice.consider_ranks(capacity, most_for, gain, [&](int r, Floats its_gain) {
          choice.consider(its_gain, comes + floats_at(goes + r * width + p), s * shape_.gpus + p, r);
        });
      }
  }

  // What holders of one of our experts have less above the target once it has one replica more.
  float relief(int r) {
    const int32_t expert = placing_.expert[r * placing_.width + view_.gpu];
    return view_.over_holders(expert, -1, [&](int i, int g) {
      const float excess = view_.excess[i * placing_.width + g];
      const int at = i * placing_.capacity + r;
      return above(excess) - above(excess - (share_[at] - less_[at]));
    });
  }

  // What holders of each expert that has others have more above the target once it has one replica fewer. It stays what
  // it was where they are the same ones, with the same loads.
  void find_paid() {
    if (round_ > 0)
      for (const int32_t expert : changed_)
        if (placing_.count[expert] > 1) find_paid(expert);
    for (int p = 0; p < placing_.width; p += kLanes) {
      Ints differs{};
      for (int i = 0; i < shape_.samples; ++i) {
        const float* load = placing_.gpu_load + i * placing_.width + p;
        float* before = load_before_ + i * placing_.width + p;
        differs |= floats_at(load) != floats_at(before);
        store(before, floats_at(load));
      }
      for (unsigned lanes = lanes_where(differs); lanes != 0; lanes &= lanes - 1) {
        const int g = p + __builtin_ctz(lanes);
        for (int place = g; place < placing_.places(); place += placing_.width)
          if (placing_.has_others[place]) find_paid(placing_.expert[place]);
      }
    }
    ++round_;
    for (int p = 0; p < placing_.places(); p += kLanes)
      for (unsigned lanes = lanes_where(ints_at(placing_.has_others + p)); lanes != 0; lanes &= lanes - 1) {
        const int place = p + __builtin_ctz(lanes);
        paid_at_[place] = paid_[placing_.expert[place]];
      }
  }

  void find_paid(int32_t expert) {
    if (paid_in_[expert] == round_) return;
    paid_in_[expert] = round_;
    paid_[expert] = view_.over_holders(expert, -1, [&](int i, int g) {
      const float excess = view_.excess[i * placing_.width + g];
      return above(excess + placing_.more[i * placing_.expert_width + expert]) - above(excess);
    });
  }

  const FollowingShape& shape_;
  const System& system_;
  const Placing& placing_;
  View& view_;
  float* load_before_;  // [samples * width] of each GPU when it was last looked at
  float* paid_;         // [experts]
  float* paid_at_;      // [places] the same of the expert there, where it has others
  int32_t* paid_in_;    // [experts] the round in which that was found
  float* share_;        // [samples * capacity] of our replicas
  float* less_;         // [samples * capacity]
  float* left_;         // [samples * capacity or lanes] what is left on a GPU once a replica has left it
  float* gain_;         // [capacity] what a step with one of ours gains at first
  int32_t* rank_;       // [capacity] of those of ours that have others
  int32_t changed_[2];
  int32_t round_;
};
