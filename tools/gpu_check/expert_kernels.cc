#include <algorithm>
#include <fmt/format.h>
#include <random>
#include <set>

#include "gpu_check/device_memory.h"
#include "gpu_check/event_timer.h"
#include "gpu_check/kernels.h"
#include "kernels/cuda/experts.h"
#include "kernels/cuda/grouped_case.h"

namespace unmask::tools {

namespace {

using cuda::Bf16;
using cuda::Device;
using cuda::DeviceExpert;
using cuda::DeviceGrouping;
using cuda::GroupedProduct;
using cuda::testing::GroupedCase;
using cuda::testing::GroupedShape;

// Results are rounded to bfloat16, as in the tests on the emulator.
constexpr double kGroupedError = 3e-3;
constexpr int kTimedRounds = 5;

/// The choices of a case sorted on the device.
struct Sorted {
  Sorted(Device& device, const DeviceGrouping& host)
      : chosen(device, host.chosen, static_cast<size_t>(host.choices)),
        begins(device, host.begins, static_cast<size_t>(host.experts) + 1),
        order(device, host.order, static_cast<size_t>(host.choices)),
        places(device, host.places, static_cast<size_t>(host.choices)) {
    DeviceGrouping task = host;
    task.chosen = chosen.data();
    task.begins = begins.data();
    task.order = order.data();
    task.places = places.data();
    launch_grouping(task, device.stream());
  }

  DeviceArray<int32_t> chosen, begins, order, places;
};

/// Runs a case on the device; its results end up in the case.
void run(Device& device, const GroupedCase& c) {
  const Sorted sorted(device, c.grouping());
  sorted.begins.download(c.grouping().begins);
  sorted.order.download(c.grouping().order);
  sorted.places.download(c.grouping().places);
  const GroupedProduct& host = c.product();
  std::vector<DeviceArray<Bf16>> weights;
  weights.reserve(c.weights().size());
  for (const std::vector<Bf16>& w : c.weights()) weights.emplace_back(device, w);
  std::vector<DeviceExpert> table;
  for (size_t e = 0; e < weights.size(); e += 2) {
    const Bf16* first = weights[e].data();
    table.push_back(host.gated ? DeviceExpert{first, weights[e + 1].data(), nullptr}
                               : DeviceExpert{nullptr, nullptr, first});
  }
  const DeviceArray<DeviceExpert> on_device(device, table);
  const int inputs = host.gated ? host.choices / host.top_k : host.choices;
  const DeviceArray<Bf16> x(device, host.x,
                            static_cast<size_t>(inputs) * static_cast<size_t>(host.x_stride));
  const DeviceArray<Bf16> out(
      device, host.out, static_cast<size_t>(host.choices) * static_cast<size_t>(host.out_stride));
  GroupedProduct task = host;
  task.weights = on_device.data();
  task.begins = sorted.begins.data();
  if (host.order != nullptr) task.order = sorted.order.data();
  task.x = x.data();
  task.out = out.data();
  launch_grouped(task, device.stream());
  out.download(host.out);
}

/// Gates and ups of LLaDA2-mini's experts, 8 of 256 a row, drawn evenly.
void time_products(Device& device, int rows, std::mt19937& random, Report& report) {
  constexpr int kExperts = 256;
  constexpr int kTopK = 8;
  constexpr int kWidth = 512;
  constexpr int kDim = 2048;
  constexpr size_t kMatrix = size_t{kWidth} * kDim;
  std::normal_distribution<float> normal;
  std::vector<Bf16> values(2 * kMatrix);
  for (Bf16& value : values) value = f32_to_bf16(normal(random));
  std::vector<DeviceArray<Bf16>> weights;  // alike, but not in the same memory
  std::vector<DeviceExpert> table;
  weights.reserve(kExperts);
  for (int e = 0; e < kExperts; ++e) {
    weights.emplace_back(device, values);
    table.push_back({weights.back().data(), weights.back().data() + kMatrix, nullptr});
  }
  std::vector<int32_t> all(kExperts);
  for (size_t e = 0; e < all.size(); ++e) all[e] = static_cast<int32_t>(e);
  std::vector<int32_t> chosen;
  for (int row = 0; row < rows; ++row) {
    std::sample(all.begin(), all.end(), std::back_inserter(chosen), kTopK, random);
  }
  const auto choices = static_cast<int>(chosen.size());
  std::vector<int32_t> room(chosen.size() + kExperts);
  const Sorted sorted(device, {.chosen = chosen.data(),
                               .choices = choices,
                               .experts = kExperts,
                               .begins = room.data(),
                               .order = room.data(),
                               .places = room.data()});
  const DeviceArray<DeviceExpert> on_device(device, table);
  std::vector<Bf16> inputs;  // alike every 1,024 rows
  for (size_t i = 0; i < static_cast<size_t>(rows) * kDim; ++i) {
    inputs.push_back(values[i % values.size()]);
  }
  const DeviceArray<Bf16> x(device, inputs);
  const DeviceArray<Bf16> out(device, chosen.size() * kWidth);
  const GroupedProduct task{.weights = on_device.data(),
                            .gated = true,
                            .begins = sorted.begins.data(),
                            .x = x.data(),
                            .x_stride = kDim,
                            .order = sorted.order.data(),
                            .top_k = kTopK,
                            .out = out.data(),
                            .out_stride = kWidth,
                            .cols = kWidth,
                            .depth = kDim,
                            .choices = choices,
                            .experts = kExperts};
  EventTimer timer(device.stream());
  std::vector<double> times;
  for (int round = 0; round <= kTimedRounds; ++round) {
    const double time = timer.milliseconds([&] { launch_grouped(task, device.stream()); });
    if (round > 0) times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  const double taken = static_cast<double>(std::set(chosen.begin(), chosen.end()).size());
  const std::string name = fmt::format("LLaDA2-mini, gates and ups of experts, {} rows", rows);
  report.add({"times", name, median, "ms"});
  report.add({"times", name, taken * 2 * kMatrix * sizeof(Bf16) / median / 1e6, "GB/s of weights"});
  report.add({"times", name, 4.0 * choices * kMatrix / median / 1e9, "TFLOP/s"});
}

}  // namespace

void check_experts(Device& device, uint32_t seed, Report& report) {
  for (const GroupedShape& shape :
       {GroupedShape{.rows = 1, .experts = 64, .top_k = 8, .cols = 1024, .depth = 512},
        GroupedShape{.rows = 33, .experts = 12, .top_k = 2, .cols = 75, .depth = 136},
        GroupedShape{.rows = 200, .experts = 9, .top_k = 2, .cols = 200, .depth = 328},
        GroupedShape{
            .rows = 1000, .experts = 8, .top_k = 2, .cols = 130, .depth = 96, .popular = 1}}) {
    for (const bool gated : {true, false}) {
      GroupedShape own = shape;
      own.gated = gated;
      const GroupedCase c(own, seed++);
      run(device, c);
      const std::string name = fmt::format("{} of {} experts, {} rows, {} x {}", shape.top_k,
                                           shape.experts, shape.rows, shape.cols, shape.depth);
      report.add({"experts", name + ": sorted", c.is_sorted() ? 0.0 : 1.0, "", 0.0});
      report.add({"experts", name + (gated ? ": gates and ups" : ": downs"), c.error(), "rel.",
                  kGroupedError});
    }
  }
  std::mt19937 random(seed);
  for (const int rows : {4, 32, 256, 8192}) time_products(device, rows, random, report);
}

}  // namespace unmask::tools
