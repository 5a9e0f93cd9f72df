// Native code without Python, for processors that an emulator runs: requests from standard input, results to the output.

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
#include "sharing/request.hpp"
#include "routing/shape.hpp"
#include "routing/request.hpp"
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

int main() {
  void (*const answers[])() = {answer<PlanRequest>,          answer<SamplesRequest>, answer<FollowRequest>,
                               answer<FollowOrRenewRequest>, answer<RenewRequest>,   answer<FrontierRequest>,
                               answer<ShareOfPlanRequest>};
  for (int64_t cases = read_number(); cases > 0; --cases) answers[read_number()]();
}
