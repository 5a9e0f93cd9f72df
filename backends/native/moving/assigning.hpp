// algorithms/moving/assigning.py, and paths.py: the assignment of most weight, by trees from all free agents at once.

class Assigning {
 public:
  Assigning(int most, Memory& memory)
      : table_(memory.take<int32_t>(int64_t{most} * most)),
        agent_(memory.take<int32_t>(most)),
        agent_potential_(memory.take<int32_t>(most)),
        task_potential_(memory.take<int32_t>(most)),
        root_(memory.take<int32_t>(most)),
        parent_(memory.take<int32_t>(most)),
        tree_(memory.take<int32_t>(most)),
        nearest_(memory.take<int32_t>(most)),
        end_(memory.take<int32_t>(most)) {}

  // The task of each agent, for weights in rows of so many, one for each agent.
  void assign(const int32_t* weight, int64_t row, int agents, int32_t* task) {
    agents_ = agents;
    task_ = task;
    begin(weight, row);
    for (int free = agents; free > 0;) {
      reach();
      free -= change_paths();
      join();
    }
  }

 private:
  static constexpr int32_t kFar = 1 << 30;  // beyond all slacks

  void begin(const int32_t* weight, int64_t row) {
    int32_t most = 0;
    for (bits_ = 0; 1 << bits_ < agents_; ++bits_) {
    }
    // The lowest bits say who it is. Of equal agents each task prefers another one, first that of its own number.
    for (int a = 0; a < agents_; ++a)
      for (int t = 0; t < agents_; ++t) {
        const int32_t its = weight[a * row + t];
        most = its > most ? its : most;
        table_[int64_t{a} * agents_ + t] = (its << bits_) - (a ^ t);
      }
    for (int i = 0; i < agents_; ++i) {
      task_[i] = agent_[i] = nobody();
      agent_potential_[i] = most;
      task_potential_[i] = parent_[i] = 0;
      root_[i] = i;
    }
  }

  int32_t nobody() const { return agents_; }
  bool is_reached(int t) const { return agent_[t] < nobody() && root_[agent_[t]] < nobody(); }

  // Trees grow to the tasks that are tight once potentials have changed as far as they must.
  void reach() {
    for (int t = 0; t < agents_; ++t) nearest_[t] = kFar;
    for (int a = 0; a < agents_; ++a) {
      if (root_[a] == nobody()) continue;
      const int32_t potential = agent_potential_[a] << bits_;
      const int32_t* row = table_ + int64_t{a} * agents_;
      for (int t = 0; t < agents_; ++t) {
        const int32_t its = potential - row[t];
        nearest_[t] = its < nearest_[t] ? its : nearest_[t];
      }
    }
    int32_t step = kFar;
    for (int t = 0; t < agents_; ++t)
      if (!is_reached(t)) step = slack(t) < step ? slack(t) : step;
    for (int t = 0; t < agents_; ++t) {
      tree_[t] = nobody();
      if (is_reached(t) || slack(t) != step) continue;
      parent_[t] = (nearest_[t] & ((1 << bits_) - 1)) ^ t;
      tree_[t] = root_[parent_[t]];
    }
    for (int t = 0; t < agents_; ++t)
      if (is_reached(t)) task_potential_[t] += step;
    for (int a = 0; a < agents_; ++a)
      if (root_[a] < nobody()) agent_potential_[a] -= step;
  }

  int32_t slack(int t) const { return (nearest_[t] >> bits_) + task_potential_[t]; }

  // All on the path to the first free task of each tree change tasks; how many trees there are.
  int change_paths() {
    int number = 0;
    for (int a = 0; a < agents_; ++a) end_[a] = nobody();
    for (int t = agents_ - 1; t >= 0; --t)
      if (tree_[t] < nobody() && agent_[t] == nobody()) end_[tree_[t]] = t;
    for (int a = 0; a < agents_; ++a) {
      if (end_[a] == nobody()) continue;
      ++number;
      for (int t = end_[a]; t < nobody();) {
        agent_[t] = parent_[t];
        std::swap(task_[parent_[t]], t);
      }
    }
    return number;
  }

  // Trees whose root is free no longer are gone, with all that is in them.
  void join() {
    for (int a = 0; a < agents_; ++a)
      if (task_[a] < nobody() && tree_[task_[a]] < nobody()) root_[a] = tree_[task_[a]];
    for (int a = 0; a < agents_; ++a)
      if (root_[a] < nobody() && task_[root_[a]] < nobody()) root_[a] = nobody();
  }

  int agents_ = 0, bits_ = 0;
  int32_t* table_;            // [agents * agents]
  int32_t* task_ = nullptr;   // [agents] of each agent; the number of agents stands for none, and for nobody
  int32_t* agent_;            // [agents] of each task
  int32_t* agent_potential_;  // [agents]
  int32_t* task_potential_;   // [agents]
  int32_t* root_;             // [agents] the free agent in whose tree each agent is
  int32_t* parent_;           // [agents] the agent from whom a tree came to each task
  int32_t* tree_;             // [agents] in which a task is new
  int32_t* nearest_;          // [agents]
  int32_t* end_;              // [agents] the first free task of each tree
};
