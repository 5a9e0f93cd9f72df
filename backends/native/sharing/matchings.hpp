// algorithms/sharing/matchings.py: holders of an expert meet in pairs and level their GPUs, as far as their tokens go.

struct Meeting {
  int32_t one, other;          // holders, as runs have them
  int32_t one_gpu, other_gpu;  // theirs
};

class Meetings {
 public:
  Meetings(const SharingShape& shape, Memory& memory)
      : shape_(shape),
        end_(memory.take<int32_t>(int64_t{shape.most_colours()} + 1)),
        met_(memory.take<int32_t>(shape.gpus)),
        meeting_(memory.take<Meeting>(shape.most_pairs())) {}

  // All that meet, colour by colour; whether no GPU is in two pairs at once.
  bool arrange(const Table& table) {
    int32_t colours = 0;
    for (int k = 0; k < table.number; ++k)
      colours = std::max(colours, colour(table, k) + span(table.end(k) - table.begin(k)));
    if (colours > shape_.most_colours()) return false;
    for (int i = 0; i <= colours; ++i) end_[i] = 0;
    each_pair(table, [&](int32_t colour, int32_t, int32_t) { ++end_[colour + 1]; });
    for (int i = 0; i < colours; ++i) end_[i + 1] += end_[i];
    number_ = end_[colours];
    each_pair(table, [&](int32_t colour, int32_t one, int32_t other) {
      meeting_[end_[colour]++] = {one, other, table.where->gpu[one], table.where->gpu[other]};
    });
    for (int g = 0; g < shape_.gpus; ++g) met_[g] = -1;
    bool are_free = true;
    for (int i = 0, colour = 0; i < number_; ++i) {
      while (i >= end_[colour]) ++colour;
      for (const int32_t g : {meeting_[i].one_gpu, meeting_[i].other_gpu}) {
        are_free &= met_[g] != colour;
        met_[g] = colour;
      }
    }
    return are_free;
  }

  // All pairs level once. They move 11 sixteenths of what they differ by.
  void level(int32_t* share, int32_t* gpu_load) const {
    for (int i = 0; i < number_; ++i) {
      const Meeting& now = meeting_[i];
      const int32_t more = gpu_load[now.other_gpu] - gpu_load[now.one_gpu], size = more < 0 ? -more : more;
      const int32_t wanted = (size >> 1) + (size >> 3) + (size >> 4);
      const int32_t ours = share[now.one], theirs = share[now.other];
      const int32_t move = more < 0 ? -std::min(wanted, ours) : std::min(wanted, theirs);
      share[now.one] = ours + move;
      share[now.other] = theirs - move;
      gpu_load[now.one_gpu] += move;
      gpu_load[now.other_gpu] -= move;
    }
  }

 private:
  static int32_t colour(const Table& table, int k) { return table.plan.colour[table.several[k]]; }

  // The holders of an expert move one chair a turn, but for the last; who meets its own chair meets the last.
  template <typename Do>
  static void each_pair(const Table& table, Do pair) {
    for (int k = 0; k < table.number; ++k) {
      const int32_t first = table.begin(k), holders = table.end(k) - first, stays = holders - 1 + holders % 2;
      for (int32_t turn = 0; turn < span(holders); ++turn)
        for (int32_t one = 0; one < holders && one < stays; ++one) {
          int32_t chair = 2 * turn - one;
          chair = chair < 0 ? chair + stays : chair >= stays ? chair - stays : chair;
          const int32_t other = chair == one ? stays : chair;
          if (other > one && other < holders) pair(colour(table, k) + turn, first + one, first + other);
        }
    }
  }

  const SharingShape& shape_;
  int32_t number_ = 0;
  int32_t* end_;      // [colours + 1] where each colour ends
  int32_t* met_;      // [gpus] the last colour of each
  Meeting* meeting_;  // [number] of all
};

class Matchings {
 public:
  Matchings(const SharingShape& shape, Memory& memory)
      : shape_(shape),
        meetings_(shape, memory),
        proofs_(shape, memory),
        share_(memory.take<int32_t>(shape.linked())),
        gpu_load_(memory.take<int32_t>(shape.gpus)) {}

  bool arrange(const Table& table) { return meetings_.arrange(table); }

  // From equal shares, which are the best so far and of which the busiest GPU has so much, to better ones; after how many
  // rounds, and what the busiest has.
  int32_t level(const Table& table, int fine, float tolerance, int32_t* best, int32_t& busiest, Proof& proof) {
    table.share_equally(fine, share_);
    int32_t most = table.add_up(share_, fine, gpu_load_);
    int32_t rounds = 0, limit = shape_.rounds;
    for (;;) {
      const Proof found = proofs_.of_busiest(table, gpu_load_);
      if (found.is_stronger(proof)) {
        proof.tokens = found.tokens;
        proof.size = found.size;
        proofs_.mark(found.size, proof.gpus);
      }
      const int32_t least = proof.least();
      const int32_t bound = least + static_cast<int32_t>(static_cast<float>(least) * tolerance);
      // What is level enough becomes whole tokens, and levels a few rounds more.
      const bool is_level = most / (1 << fine) + (most % (1 << fine) > 0) <= bound;
      if (fine > 0 && (is_level || rounds >= limit)) {
        make_whole(table, fine);
        fine = 0;
        limit = std::min(limit, rounds + kMostWholeRounds);
        most = table.add_up(share_, fine, gpu_load_);
      }
      if (fine == 0 && most < busiest) {
        busiest = most;
        std::copy(share_, share_ + shape_.linked(), best);
      }
      if (fine == 0 && (busiest <= bound || rounds >= limit)) return rounds;
      for (const int32_t until = std::min(limit, rounds + kRoundsAtOnce); rounds < until; ++rounds)
        meetings_.level(share_, gpu_load_);
      most = Table::largest(gpu_load_, shape_.gpus);
    }
  }

 private:
  static constexpr int32_t kMostWholeRounds = 4, kRoundsAtOnce = 2;

  // Of each expert's holders in a row as many as whole tokens lie in what they have.
  void make_whole(const Table& table, int fine) {
    for (int k = 0; k < table.number; ++k) {
      int32_t until = 0;
      for (int i = table.begin(k); i < table.end(k); ++i) {
        const int32_t before = until >> fine;
        until += share_[i];
        share_[i] = (until >> fine) - before;
      }
    }
  }

  const SharingShape& shape_;
  Meetings meetings_;
  Proofs proofs_;
  int32_t* share_;     // [linked]
  int32_t* gpu_load_;  // [gpus]
};
