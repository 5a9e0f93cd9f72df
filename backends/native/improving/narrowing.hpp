// The best swap where packs have few items, and so are many. The busier of two packs has half of what both have, and as
// much more as the difference of what they swap is off the half of theirs: so it is estimated for all packs, whether or
// not experts are in both, and only where that comes as near to the best as rounding may be off, it is added up as it
// will be. One pack nearly always is alone in that.

constexpr int kMostNarrowed = 5;

template <int kCapacity>
class Narrowing {
 public:
  Narrowing(Table& table, int pack) : table_(table), pack_(pack), high_(table.pack_load[pack]) {
    for (int r = 0; r < kCapacity; ++r) {
      const int place = r * table.width + pack;
      load_[r] = table.load[place];
      expert_[r] = table.expert[place];
    }
  }

  // The best swap, if the busier pack has less than the bound after it.
  Swap best(float bound) const {
    const float margin = high_ * 0x1p-21f;  // more than all rounding
    if (table_.packs < table_.width) set_beyond(kInfinite);
    const float found = estimate(), nearly = found + 2 * margin;
    Swap swap{0, 0, 0, kInfinite};
    if (found <= bound + margin) {
      const int pack = only_pack(nearly);
      if (pack >= 0) swap = best_with(pack);
      if (!(swap.busier <= found + margin)) swap = best_of_near(nearly, bound, margin);
    }
    if (table_.packs < table_.width) set_beyond(-kInfinite);
    return swap;
  }

 private:
  static constexpr uint32_t kInfiniteBits = 0x7F800000;

  // What the busier pack would have, for each pack; the least of it.
  float estimate() const {
    // Copies, which no store can change.
    const Narrowing ours = *this;
    const int width = table_.width;
    const float *load = table_.load, *pack_loads = table_.pack_load;
    float* to = table_.estimate;
    Floats least = all(kInfinite);
    for (int p = 0; p < width; p += kLanes) {
      const Floats middle = (ours.high_ - floats_at(pack_loads + p)) * 0.5f;
      Floats theirs[kCapacity], off[kCapacity];
      for (int s = 0; s < kCapacity; ++s) theirs[s] = floats_at(load + s * width + p);
      for (int r = 0; r < kCapacity; ++r) {
        const Floats wanted = ours.load_[r] - middle;
        Floats each[kCapacity];
        for (int s = 0; s < kCapacity; ++s) each[s] = magnitude(wanted - theirs[s]);
        off[r] = each[0];
        for (int s = 1; s < kCapacity; s += 2)  // two at once, so that few wait for others
          off[r] = smaller(s + 1 < kCapacity ? smaller(each[s], each[s + 1]) : each[s], off[r]);
      }
      for (int r = 1; r < kCapacity; ++r) off[0] = smaller(off[r], off[0]);
      const Floats busier = (ours.high_ - middle) + off[0];
      store(to + p, busier);
      least = smaller(busier, least);
    }
    return smallest(least);
  }

  // The pack with that little, if there is one alone.
  int only_pack(float nearly) const {
    Ints number{}, where{};
    for (int p = 0; p < table_.width; p += kLanes) {
      const Ints is_it = as_bits(floats_at(table_.estimate + p) <= nearly);
      number -= is_it;
      where += is_it & (lane_numbers() + p);
    }
    return sum(number) == 1 ? sum(where) : -1;
  }

  // The best with that pack. Where no item there has the load of one here, none has its expert.
  template <bool kMayShare = false>
  Swap best_with(int other_pack) const {
    const int width = table_.width;
    const float theirs = table_.pack_load[other_pack];
    uint32_t stays[kCapacity]{}, theirs_stays[kCapacity]{};
    for (int s = 0; kMayShare && s < kCapacity; ++s)
      for (int r = 0; r < kCapacity; ++r) {
        const bool is_same = expert_[r] == table_.expert[s * width + other_pack];
        stays[r] |= is_same ? kInfiniteBits : 0;
        theirs_stays[s] |= is_same ? kInfiniteBits : 0;
      }
    float nearest = kInfinite;
    uint64_t best = ~uint64_t{0};
    for (int s = 0; s < kCapacity; ++s)
      for (int r = 0; r < kCapacity; ++r) {
        const float less = load_[r] - table_.load[s * width + other_pack];
        const auto after = static_cast<uint32_t>(bits_of(busier(high_, theirs, less))) | stays[r] | theirs_stays[s];
        const uint64_t key = uint64_t{after} << 8 | static_cast<uint32_t>(s << 4 | r);
        best = key < best ? key : best;
        nearest = smaller(__builtin_fabsf(less), nearest);
      }
    if (!kMayShare && nearest == 0.0f) return best_with<true>(other_pack);
    const auto after = static_cast<uint32_t>(best >> 8);
    if (after >= kInfiniteBits || other_pack == pack_) return Swap{0, 0, 0, kInfinite};
    const int s = best >> 4 & 15, r = best & 15;
    return Swap{r * width + pack_, s * width + other_pack, other_pack, float_of(static_cast<int32_t>(after))};
  }

  // The best of all that may be it, now that the nearest is not alone, or may not be swapped.
  Swap best_of_near(float nearly, float bound, float margin) const {
    Swap best{0, 0, 0, kInfinite};
    for (float looked_at = -kInfinite; nearly > looked_at;) {
      for (int p = 0; p < table_.width; p += kLanes) {
        const Floats busier = floats_at(table_.estimate + p);
        for (unsigned lanes = lanes_where((busier > looked_at) & (busier <= nearly)); lanes; lanes &= lanes - 1) {
          const Swap swap = best_with(p + __builtin_ctz(lanes));
          const bool comes_first = swap.busier == best.busier && swap.other < best.other;
          if (swap.busier < best.busier || comes_first) best = swap;
        }
      }
      looked_at = nearly;
      nearly = smaller(best.busier, bound) + margin;  // what is less may not be allowed
    }
    return best;
  }

  // What is no pack.
  void set_beyond(float load) const {
    for (int p = table_.packs; p < table_.width; ++p) table_.pack_load[p] = load;
  }

  Table& table_;
  int pack_;
  float high_;
  float load_[kCapacity];  // of our items
  int32_t expert_[kCapacity];
};
