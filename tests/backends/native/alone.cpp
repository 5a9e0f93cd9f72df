// Native code without Python, for processors that an emulator runs: cases from standard input, their maps to the output.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "following/shape.hpp"
#include "memory.hpp"
#include "shape.hpp"
#include "request.hpp"
#include "following/request.hpp"
#include "threads.hpp"

namespace rows {
#define EPLB_XP_LANES 4
#include "each.hpp"
}  // namespace rows

template <typename T>
std::vector<T> read(size_t number) {
  std::vector<T> values(number);
  if (std::fread(values.data(), sizeof(T), number, stdin) != number) std::exit(1);
  return values;
}

int main() {
  for (int64_t cases = read<int64_t>(1)[0]; cases > 0; --cases) {
    Shape shape{};
    const size_t integers = offsetof(Shape, threshold) / sizeof(int32_t);
    const auto numbers = read<int32_t>(integers);
    const auto floats = read<float>(2);
    std::memcpy(static_cast<void*>(&shape), numbers.data(), integers * sizeof(int32_t));
    std::memcpy(&shape.threshold, floats.data(), sizeof(float) * 2);
    const auto strides = read<int32_t>(static_cast<size_t>(shape.turns));
    shape.strides = strides.data();
    const int64_t layers = read<int64_t>(1)[0];
    const auto weight = read<float>(static_cast<size_t>(layers * shape.experts));
    if (!shape.fits()) return 2;
    std::vector<int32_t> phy2log(static_cast<size_t>(layers * shape.layer_slots()));
    std::vector<int32_t> log2phy(weight.size() * static_cast<size_t>(shape.width)), logcnt(weight.size());
    Work work(layers);
    const rows::Maps<int32_t> maps{phy2log.data(), log2phy.data(), logcnt.data()};
    rows::plan_layers<rows::Pipeline>(rows::Planned<int32_t>{weight.data(), maps}, shape, work);
    for (const auto* map : {&phy2log, &log2phy, &logcnt}) std::fwrite(map->data(), sizeof(int32_t), map->size(), stdout);
  }
}
