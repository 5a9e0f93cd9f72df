// What is given as prepared, of which nothing is trusted: it is read as far as shares need it, if it is of some plan.

class Reading {
 public:
  Reading(const SharingShape& shape, Memory& memory)
      : shape_(shape),
        number_(memory.take<int32_t>(shape.experts)),
        links_(memory.take<int32_t>(shape.gpus)),
        where(shape, shape.linked(), memory) {}

  // Whether it is of a plan.
  template <typename Index>
  bool read(const PreparedArrays<const Index>& given, const PreparedArrays<int32_t>& plan) {
    return read_numbers(given, plan) && read_table(plan) && are_runs(plan) &&
           (*plan.size == 0 || are_stretches(plan));
  }

 private:
  // Whether all are from the least up to the most, which are of 31 bits.
  template <typename Index>
  static bool read(const Index* from, int64_t number, int32_t least, int32_t most, int32_t* to) {
    uint64_t bits = 0;
    int32_t largest = least;
    for (int64_t i = 0; i < number; ++i) {
      bits |= static_cast<uint64_t>(from[i]) - static_cast<uint64_t>(int64_t{least});
      to[i] = static_cast<int32_t>(from[i]);
    }
    for (int64_t i = 0; i < number; ++i) largest = std::max(largest, to[i]);
    return bits >> 31 == 0 && largest <= most;
  }

  template <typename Index>
  bool read_numbers(const PreparedArrays<const Index>& given, const PreparedArrays<int32_t>& plan) const {
    const int experts = shape_.experts, slots = shape_.slots, gpus = shape_.gpus;
    return read(given.expert, slots, 0, experts, plan.expert) &&
           read(given.place, shape_.linked(), 0, slots - 1, plan.place) &&
           read(given.first, experts, 0, slots, plan.first) && read(given.holders, experts, 0, gpus, plan.holders) &&
           read(given.colour, experts, -1, shape_.most_colours(), plan.colour) &&
           read(given.start, experts, -1, gpus - 1, plan.start) && read(given.size, 1, 0, gpus, plan.size) &&
           (*plan.size == 0 || gpus % *plan.size == 0);
  }

  // Whether each expert has so many holders, on GPUs of their own.
  bool read_table(const PreparedArrays<int32_t>& plan) {
    const int experts = shape_.experts, gpus = shape_.gpus;
    for (int e = 0; e < experts; ++e) {
      where.last_gpu[e] = -1;
      number_[e] = 0;
    }
    for (int g = 0, s = 0; g < gpus; ++g)
      for (int p = g; p < shape_.slots; p += gpus, ++s) {
        const int32_t e = plan.expert[p];
        if (e == experts) continue;
        if (where.last_gpu[e] == g) return false;
        where.last_gpu[e] = g;
        where.last_slot[e] = s;
        ++number_[e];
      }
    for (int e = 0; e < experts; ++e)
      if (plan.holders[e] != number_[e]) return false;
    return true;
  }

  // Whether the places of each expert of several stand in a row, GPU by GPU, and nowhere else.
  bool are_runs(const PreparedArrays<int32_t>& plan) {
    const int capacity = shape_.capacity();
    int number = 0;
    for (int i = 0; i < shape_.linked(); ++i) {
      const int32_t e = plan.expert[plan.place[i]];
      const int32_t rank = plan.place[i] / shape_.gpus;
      where.gpu[i] = plan.place[i] - rank * shape_.gpus;
      where.slot[i] = where.gpu[i] * capacity + rank;
      if (e == shape_.experts || plan.holders[e] < 2) continue;
      ++number;
      const int32_t turn = i - plan.first[e];
      if (turn < 0 || turn >= plan.holders[e] || (turn > 0 && where.gpu[i] <= where.gpu[i - 1])) return false;
    }
    for (int e = 0; e < shape_.experts; ++e)
      if (plan.holders[e] > 1) {
        number -= plan.holders[e];
        if (plan.colour[e] < 0) return false;
      }
    return number == 0;
  }

  // Whether each expert's GPUs are a stretch, and no pair of neighbours is in two of them.
  bool are_stretches(const PreparedArrays<int32_t>& plan) {
    const int32_t size = *plan.size;
    for (int g = 0; g < shape_.gpus; ++g) links_[g] = 0;
    for (int e = 0; e < shape_.experts; ++e) {
      if (plan.holders[e] < 2) continue;
      if (plan.start[e] < 0) return false;
      const int32_t first = plan.start[e] / size * size;
      for (int i = plan.first[e]; i < plan.first[e] + plan.holders[e]; ++i) {
        const int32_t gpu = where.gpu[i], turn = gpu - plan.start[e] + (gpu < plan.start[e] ? size : 0);
        if (gpu < first || gpu >= first + size || turn >= plan.holders[e]) return false;
        if (turn + 1 < plan.holders[e] && ++links_[gpu] > 1) return false;
      }
    }
    return true;
  }

  const SharingShape& shape_;
  int32_t* number_;  // [experts] of places of each
  int32_t* links_;   // [gpus] stretches that go on from each to the next

 public:
  Holding where;
};
