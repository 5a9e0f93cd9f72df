// Native code without Python, for processors that an emulator runs: requests from standard input, results to the output;
// they are plans or, where there is an argument, shares.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "following/shape.hpp"
#include "memory.hpp"
#include "shape.hpp"
#include "request.hpp"
#include "following/request.hpp"
#include "following/samples_request.hpp"
#include "sharing/shape.hpp"
#include "routing/shape.hpp"
#include "threads.hpp"

namespace rows {
#define EPLB_XP_LANES 4
#include "each.hpp"
}  // namespace rows

template <typename T>
void read(T* values, size_t number) {
  if (std::fread(values, sizeof(T), number, stdin) != number) std::exit(1);
}

int64_t read_number() {
  int64_t number = 0;
  read(&number, 1);
  return number;
}

// The bytes of each value, and those of what is read; indices are of four.
template <typename Request>
void answer() {
  constexpr size_t kRead = std::size(Request::kArguments) + std::size(Request::kNumbers);
  constexpr size_t kAll = kRead + std::size(Request::kResults);
  std::vector<char> bytes[kAll];
  Values values[kAll];
  for (size_t i = 0; i < kAll; ++i) {
    bytes[i].resize(static_cast<size_t>(read_number()));
    if (i < kRead) read(bytes[i].data(), bytes[i].size());
    values[i] = {bytes[i].data(), static_cast<int64_t>(bytes[i].size())};
  }
  const auto asked = request<Request>(values, 4, 1);
  typename Request::Sizes shape{};
  if (asked.read(shape, 4)) std::exit(2);
  Work work(asked.layers(shape));
  rows::Code::answer<int32_t>(asked, shape, work);
  for (size_t i = kRead; i < kAll; ++i) std::fwrite(bytes[i].data(), 1, bytes[i].size(), stdout);
}

template <typename T>
std::vector<T> read_many(size_t number) {
  std::vector<T> values(number);
  read(values.data(), number);
  return values;
}

template <typename T>
void write(const std::vector<T>& values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

int share(int64_t cases) {
  for (; cases > 0; --cases) {
    SharingShape shape{};
    const auto numbers = read_many<int32_t>(sizeof shape / sizeof(int32_t));
    std::memcpy(static_cast<void*>(&shape), numbers.data(), sizeof shape);
    if (!shape.fits()) return 2;
    const auto layers = static_cast<size_t>(read_number()), slots = static_cast<size_t>(shape.slots);
    const auto phy2log = read_many<int64_t>(layers * slots);
    const auto tolerance = read_many<float>(layers);
    auto weight = read_many<char>(layers * static_cast<size_t>(shape.experts) * (shape.are_integers ? 8 : 4));
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
  if (number > 1) return share(read_number());
  void (*const answers[])() = {answer<PlanRequest>,          answer<SamplesRequest>, answer<FollowRequest>,
                               answer<FollowOrRenewRequest>, answer<RenewRequest>,   answer<FrontierRequest>};
  for (int64_t cases = read_number(); cases > 0; --cases) answers[read_number()]();
}
