// algorithms/counts/offspring.py: counts one replica away from those of good candidates.

inline void make_offspring(const float* load, const Candidate& parent, int generation, int number, const Shape& shape,
                           Candidate& found) {
  const int experts = shape.node_experts;
  std::memcpy(found.spare, parent.spare, sizeof(int32_t) * static_cast<size_t>(shape.spares));
  std::memcpy(found.count, parent.count, sizeof(int32_t) * static_cast<size_t>(experts));
  uint32_t drawn[4];
  drawn[0] = hashed(hashed(static_cast<uint32_t>(generation) + static_cast<uint32_t>(shape.seed)) +
                    static_cast<uint32_t>(number));
  for (int i = 1; i < 4; ++i) drawn[i] = hashed(drawn[i - 1] + 1);
  int32_t place[2], giver[2];
  float lighter[2];
  for (int i = 0; i < 2; ++i) {
    place[i] = below(drawn[1 + i], shape.spares);
    giver[i] = parent.spare[place[i]];
    lighter[i] = load[giver[i]] / static_cast<float>(parent.count[giver[i]] - 1);
  }
  const int which = lighter[1] < lighter[0];
  const int32_t taker = (giver[which] + 1 + below(drawn[3], experts - 1)) % experts;
  if (taker == giver[which] || parent.count[taker] >= shape.most) return;
  found.spare[place[which]] = taker;
  ++found.count[taker];
  --found.count[giver[which]];
}
