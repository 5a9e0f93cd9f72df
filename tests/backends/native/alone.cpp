// Native code without Python, for processors that an emulator runs: cases from standard input, what is made of them to the
// output; they are plans, or, where there is an argument, shares.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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
#include "sharing/shape.hpp"
#include "routing/shape.hpp"
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

template <typename T>
void write(const std::vector<T>& values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

int plan(int64_t cases) {
  for (; cases > 0; --cases) {
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
    rows::plan_layers(weight.data(), shape, rows::Maps<int32_t>{phy2log.data(), log2phy.data(), logcnt.data()}, work);
    for (const auto* map : {&phy2log, &log2phy, &logcnt}) write(*map);
  }
  return 0;
}

int share(int64_t cases) {
  for (; cases > 0; --cases) {
    SharingShape shape{};
    const auto numbers = read<int32_t>(sizeof shape / sizeof(int32_t));
    std::memcpy(static_cast<void*>(&shape), numbers.data(), sizeof shape);
    if (!shape.fits()) return 2;
    const auto layers = static_cast<size_t>(read<int64_t>(1)[0]), slots = static_cast<size_t>(shape.slots);
    const auto phy2log = read<int64_t>(layers * slots);
    const auto tolerance = read<float>(layers);
    auto weight = read<char>(layers * static_cast<size_t>(shape.experts) * (shape.are_integers ? 8 : 4));
    const size_t gpus = layers * static_cast<size_t>(shape.gpus);
    std::vector<int64_t> share(layers * slots), gpu_load(gpus), busiest(layers), rounds(layers);
    std::vector<float> lower_bound(layers), gap(layers);
    const std::unique_ptr<bool[]> proof(new bool[gpus]);
    const Batch batch{phy2log.data(),
                      {},
                      tolerance.data(),
                      {weight.data(), static_cast<int64_t>(weight.size())},
                      {share.data(), gpu_load.data(), busiest.data(), lower_bound.data(), proof.get(), gap.data(),
                       rounds.data()}};
    Work work(static_cast<int64_t>(layers));
    if (!rows::Code::share(batch, shape, work)) return 2;
    for (const auto* each : {&share, &gpu_load, &busiest}) write(*each);
    write(lower_bound);
    std::fwrite(proof.get(), sizeof(bool), gpus, stdout);
    write(gap);
    write(rounds);
  }
  return 0;
}

int main(int number, char**) {
  const int64_t cases = read<int64_t>(1)[0];
  return number > 1 ? share(cases) : plan(cases);
}
