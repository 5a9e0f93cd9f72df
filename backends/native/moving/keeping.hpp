// algorithms/moving/keeping.py: an expert that stays on its GPU keeps its slot.

class Keeping {
 public:
  Keeping(int capacity, Memory& memory) : capacity_(capacity), leaving_(memory.take<int32_t>(capacity)) {}

  // The slots of a GPU in another order, given what was there; -1 until they are filled. The others fill what is left.
  void keep(const int32_t* expert, const int32_t* before, int32_t* slot) {
    int leaving = 0;
    for (int r = 0; r < capacity_; ++r) slot[r] = -1;
    for (int r = 0; r < capacity_; ++r) {
      const int its = slot_of(expert[r], before, slot);
      if (its < capacity_) {
        slot[its] = expert[r];
      } else {
        leaving_[leaving++] = expert[r];
      }
    }
    for (int r = 0, next = 0; r < capacity_; ++r)
      if (slot[r] < 0) slot[r] = leaving_[next++];
  }

 private:
  // The first slot that held the expert, and holds nobody yet.
  int slot_of(int32_t expert, const int32_t* before, const int32_t* slot) const {
    int r = 0;
    while (r < capacity_ && (before[r] != expert || slot[r] >= 0)) ++r;
    return r;
  }

  int capacity_;
  int32_t* leaving_;  // [capacity]
};
