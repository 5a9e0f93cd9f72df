// Threads over layers, none of which outlives the call.

class Work {
 public:
  explicit Work(int64_t layers) : layers_(layers) {}

  // The next layer, or -1 where none is left.
  int64_t next() {
    const int64_t layer = next_.fetch_add(1, std::memory_order_relaxed);
    return layer < layers_ ? layer : -1;
  }

  // Do this in so many threads, this one among them; where no more can be had, in those there are.
  template <typename Do>
  void divide(int64_t threads, Do work) {
    std::atomic<bool> has_failed{false};
    auto guarded = [&] {
      try {
        work(*this);
      } catch (...) {
        has_failed = true;
      }
    };
    std::vector<std::thread> others;
    try {
      for (int64_t i = 1; i < threads && i < layers_; ++i) others.emplace_back(guarded);
    } catch (...) {
    }
    guarded();
    for (std::thread& other : others) other.join();
    if (has_failed) throw std::bad_alloc();
  }

 private:
  int64_t layers_;
  std::atomic<int64_t> next_{0};
};
