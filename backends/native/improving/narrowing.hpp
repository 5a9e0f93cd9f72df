// The best swap where packs have few items, and so are many. The busier of two packs has half of what both have, and as
// much more as the difference of what they swap is off the half of theirs: so it is estimated for all packs, and only
// where that comes as near to the best as rounding may be off, it is added up as it will be.

constexpr int kMostNarrowed = 5;

template <int kCapacity>
class Narrowing {
 public:
  Narrowing(Table& table, const Items& items, int pack) : table_(table), pack_(pack), high_(table.pack_load[pack]) {
    for (int r = 0; r < kCapacity; ++r) {
      const int place = r * table.width + pack;
      load_[r] = table.load[place];
      expert_[r] = table.expert[place];
      is_shared_[r] = !items.is_single(expert_[r]);
    }
  }

  // The best swap, if the busier pack has less than the bound after it.
  Swap best(float bound) const {
    const float margin = high_ * 0x1p-19f;  // more than all rounding
    const float least = estimate();
    BestOfLanes found;
    if (!(least <= bound + margin)) return Swap{0, 0, 0, kInfinite};
    // What is the least, and what it may turn out to be.
    const Floats nearly = all(least + 2 * margin);
    for (int p = 0; p < table_.width; p += kLanes)
      if (any(floats_at(table_.estimate + p) <= nearly)) look_closely(p, found);
    return found.best(table_.width);
  }

 private:
  // What the busier pack would have, or more if that is too much, for each pack that could be the other; the least of it.
  float estimate() const {
    set_others(kInfinite);
    // Copies, which no store can change.
    const Narrowing ours = *this;
    const int width = table_.width;
    const float *load = table_.load, *pack_loads = table_.pack_load;
    const int32_t* expert = table_.expert;
    float* to = table_.estimate;
    Floats least = all(kInfinite);
    for (int p = 0; p < width; p += kLanes) {
      const Floats middle = (ours.high_ - floats_at(pack_loads + p)) * 0.5f;
      Floats theirs[kCapacity], off[kCapacity];
      Ints there[kCapacity];
      for (int s = 0; s < kCapacity; ++s) theirs[s] = floats_at(load + s * width + p);
      for (int r = 0; r < kCapacity; ++r) {
        there[r] = Ints{};
        if (!ours.is_shared_[r]) continue;
        for (int s = 0; s < kCapacity; ++s) {
          const Ints same = as_bits(ints_at(expert + s * width + p) == ours.expert_[r]);
          there[r] |= same;
          theirs[s] = (Floats)((Ints)theirs[s] | same);  // no number, which is never less
        }
      }
      for (int r = 0; r < kCapacity; ++r) {
        const Floats wanted = (Floats)((Ints)(ours.load_[r] - middle) | there[r]);
        off[r] = all(ours.high_);
        for (int s = 0; s < kCapacity; ++s) off[r] = smaller(magnitude(wanted - theirs[s]), off[r]);
      }
      for (int r = 1; r < kCapacity; ++r) off[0] = smaller(off[r], off[0]);
      const Floats busier = (ours.high_ - middle) + off[0];
      store(to + p, busier);
      least = smaller(busier, least);
    }
    set_others(-kInfinite);
    table_.pack_load[pack_] = high_;
    return smallest(least);
  }

  // What is no pack that could be the other.
  void set_others(float load) const {
    table_.pack_load[pack_] = load;
    for (int p = table_.packs; p < table_.width; ++p) table_.pack_load[p] = load;
  }

  void look_closely(int p, BestOfLanes& found) const {
    Floats going[kCapacity], theirs[kCapacity];
    for (int r = 0; r < kCapacity; ++r) {
      going[r] = all(load_[r]);
      theirs[r] = floats_at(table_.load + r * table_.width + p);
    }
    for (int r = 0; r < kCapacity; ++r) {
      if (!is_shared_[r]) continue;
      Ints there{};
      for (int s = 0; s < kCapacity; ++s) {
        const Ints same = ints_at(table_.expert + s * table_.width + p) == expert_[r];
        there |= same;
        theirs[s] = same ? all(kInfinite) : theirs[s];
      }
      going[r] = there ? all(-kInfinite) : going[r];
    }
    const Floats pack_load = floats_at(table_.pack_load + p);
    Floats best = all(kInfinite);
    Ints place{};
    for (int s = 0; s < kCapacity; ++s) {
      Floats least = all(kInfinite);
      for (int r = 0; r < kCapacity; ++r) least = smaller(busier(all(high_), pack_load, going[r] - theirs[s]), least);
      place = least < best ? all(s * table_.width + p) : place;
      best = smaller(least, best);
    }
    if (p <= pack_ && pack_ < p + kLanes) best[pack_ - p] = kInfinite;
    found.add(best, place);
  }

  Table& table_;
  int pack_;
  float high_;
  float load_[kCapacity];  // of our items
  int32_t expert_[kCapacity];
  bool is_shared_[kCapacity];  // whether the expert has several replicas
};
