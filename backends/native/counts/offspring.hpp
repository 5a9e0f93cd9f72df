// algorithms/counts/offspring.py: counts a few replicas away from those of good candidates.

constexpr int kMostMoves = 3;

// One that so many others give.
inline void make_offspring(const float* load, const Candidate& parent, int generation, int number, int moves,
                           const Shape& shape, Candidate& found) {
  const int experts = shape.node_experts;
  std::memcpy(found.spare, parent.spare, sizeof(int32_t) * static_cast<size_t>(shape.spares));
  std::memcpy(found.count, parent.count, sizeof(int32_t) * static_cast<size_t>(experts));
  uint32_t drawn = hashed(hashed(static_cast<uint32_t>(generation) + static_cast<uint32_t>(shape.seed)) +
                          static_cast<uint32_t>(number));
  auto draw = [&](int32_t under) { return below(drawn = hashed(drawn + 1), under); };
  int32_t taker = -1;
  for (int move = 0; move < moves; ++move) {
    int32_t place[2], giver[2];
    float lighter[2];
    for (int i = 0; i < 2; ++i) {
      place[i] = draw(shape.spares);
      giver[i] = found.spare[place[i]];
      lighter[i] = load[giver[i]] / static_cast<float>(found.count[giver[i]] - 1);
    }
    const int which = lighter[1] < lighter[0];
    if (move == 0) taker = (giver[which] + 1 + draw(experts - 1)) % experts;
    if (taker == giver[which] || found.count[taker] >= shape.most) continue;
    found.spare[place[which]] = taker;
    ++found.count[taker];
    --found.count[giver[which]];
  }
}
