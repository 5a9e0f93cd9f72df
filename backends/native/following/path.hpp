// algorithms/following/path.py: a path, one step after the other from a placing.

class Path {
 public:
  Path(const FollowingShape& shape, const System& system, Memory& memory)
      : shape_(shape),
        system_(system),
        placing_(shape, system, memory),
        view_(shape, system, placing_, memory),
        steps_(shape, system, placing_, view_, memory),
        tried_(memory.take<int32_t>(shape.gpus)) {}

  // The best placings so far or on a path to a target; a step must gain so much for each GPU.
  void walk(const Placing& start, const float* target, float least, uint32_t seed, bool is_noisy, Best& best) {
    placing_.copy(start);
    steps_.begin();
    Choice choice(shape_, least);
    float over = kInfinite;
    forget();
    for (uint32_t round = 0;; ++round) {
      best.judge(placing_);
      const float above = view_.look(target, tried_);
      if (!(above < over) || !(view_.ours_over > 0.0f)) return;
      view_.price();
      choice.begin(static_cast<float>(system_.budget - placing_.spent), is_noisy, hashed(round + seed));
      steps_.look(choice);
      const Step step = choice.best();
      if (step.score > 0.0f) {
        over = above;
        forget();
        take(step);
      } else if (shape_.samples == 1) {
        // No other GPU is the one that counts.
        return;
      } else {
        over = kInfinite;
        tried_[view_.gpu] = 1;
      }
    }
  }

 private:
  void forget() {
    for (int g = 0; g < shape_.gpus; ++g) tried_[g] = 0;
  }

  void take(const Step& step) {
    const int experts = shape_.experts, slots = shape_.slots;
    const int ours = step.rank * placing_.width + view_.gpu;
    const int32_t goes = placing_.expert[ours];
    if (shape_.changes_counts && step.column < experts) {
      steps_.remember(goes, step.column);
      placing_.replace(ours, step.column);
    } else {
      const int slot = shape_.changes_counts ? (step.column - experts) % slots : step.column;
      const int place = slot / shape_.gpus * placing_.width + slot % shape_.gpus;
      steps_.remember(goes, placing_.expert[place]);
      if (shape_.changes_counts && step.column < experts + slots) {
        placing_.replace(place, goes);
      } else {
        placing_.swap(ours, place);
      }
    }
    placing_.add_up();
  }

  const FollowingShape& shape_;
  const System& system_;
  Placing placing_;
  View view_;
  Steps steps_;
  int32_t* tried_;  // [gpus] those that no step helps now
};
