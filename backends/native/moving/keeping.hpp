// algorithms/moving/keeping.py: an expert that stays on its GPU keeps its slot.

class Keeping {
 public:
  Keeping(int capacity, Memory& memory) : capacity_(capacity), leaving_(memory.take<int32_t>(capacity)) {}

  // The slots of all GPUs, given what was there, for places = rank * width + gpu.
  void keep(const int32_t* expert, int width, const int32_t* before, int gpus, int32_t* slots) {
    for (int g = 0; g < gpus; ++g) keep_in(expert + g, width, before + g * capacity_, slots + g * capacity_);
  }

 private:
  // The slots of a GPU in another order; -1 until they are filled. The others fill what is left.
  void keep_in(const int32_t* expert, int width, const int32_t* before, int32_t* slot) {
    int leaving = 0;
    for (int r = 0; r < capacity_; ++r) slot[r] = -1;
    for (int r = 0; r < capacity_; ++r) {
      const int32_t stays = expert[r * width];
      const int its = slot_of(stays, before, slot);
      if (its < capacity_) {
        slot[its] = stays;
      } else {
        leaving_[leaving++] = stays;
      }
    }
    for (int r = 0, next = 0; r < capacity_; ++r)
      if (slot[r] < 0) slot[r] = leaving_[next++];
  }

  // The first slot that held the expert, and holds nobody yet.
  int slot_of(int32_t expert, const int32_t* before, const int32_t* slot) const {
    int r = 0;
    while (r < capacity_ && (before[r] != expert || slot[r] >= 0)) ++r;
    return r;
  }

  int capacity_;
  int32_t* leaving_;  // [capacity]
};
