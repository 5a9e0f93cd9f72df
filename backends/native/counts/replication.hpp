// algorithms/counts/replication.py: spare replicas one by one, each to the expert with the largest load per replica.
// Where those modules sort, or search for the last spare, a tournament finds the next: it is one row that is looked at.

struct Spares {
  int32_t* expert;  // [spares] in the order handed out
  int32_t* rank;    // [spares] which replica of the expert it is
  int32_t* count;   // [experts] replicas of each expert
};

inline void hand_out(const float* load, const Shape& shape, Spares& spares, Tournament& tournament) {
  auto key = [&](int32_t expert, int32_t count) {
    if (count >= shape.most) return Tournament::kNever;
    const float quotient = load[expert] / static_cast<float>(count);
    return Tournament::key(INT32_MAX - bits_of(quotient), expert);
  };
  for (int e = 0; e < shape.node_experts; ++e) spares.count[e] = shape.fewest;
  if (shape.spares == 0) return;
  tournament.begin(shape.node_experts);
  for (int e = 0; e < shape.node_experts; ++e) tournament.set(e, key(e, shape.fewest));
  tournament.play();
  for (int k = 0; k < shape.spares; ++k) {
    const auto expert = static_cast<int32_t>(tournament.first() & INT32_MAX);
    spares.expert[k] = expert;
    spares.rank[k] = spares.count[expert]++;
    tournament.change(expert, key(expert, spares.count[expert]));
  }
}
