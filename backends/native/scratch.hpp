// Scratch memory for whoever plans layers, one after the other in a thread.

template <typename Planner, typename Sizes, typename Do>
inline void with_scratch(const Sizes& shape, Do plan) {
  Memory measured(nullptr);
  Planner(shape, measured);
  const std::unique_ptr<char, void (*)(void*)> scratch(
      static_cast<char*>(std::aligned_alloc(Memory::kLine, measured.taken())), std::free);
  if (!scratch) throw std::bad_alloc();
  Memory memory(scratch.get());
  Planner planner(shape, memory);
  plan(planner);
}

// The layers that are left, one after the other.
template <typename Planner, typename Layers, typename Sizes>
inline void plan_layers(const Layers& layers, const Sizes& shape, Work& work) {
  with_scratch<Planner>(shape, [&](Planner& planner) {
    for (int64_t layer; (layer = work.next()) >= 0;) planner.plan(layers.of_layer(layer, shape));
  });
}
