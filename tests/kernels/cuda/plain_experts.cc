// The functions of experts.h on a plain device, as their formulas.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/dtype.h"
#include "kernels/cuda/experts.h"
#include "kernels/cuda/plain_device.h"
#include "kernels/cuda/plain_dot.h"
#include "kernels/experts.h"

namespace unmask::cuda {

namespace {

void route(const DeviceRouting& task) {
  const PlainAccess access;
  const auto n = static_cast<size_t>(task.experts);
  std::span<const float> bias;
  if (task.bias != nullptr) bias = {task.bias, n};
  std::vector<float> logits(n);
  int64_t next = 0;
  for (int row = 0; row < task.rows; ++row) {
    const float* parts = task.logits + int64_t{row} * kRouterParts * task.experts;
    std::copy_n(parts, n, logits.begin());
    for (int part = 1; part < kRouterParts; ++part) {
      for (size_t e = 0; e < n; ++e) logits[e] += parts[static_cast<size_t>(part) * n + e];
    }
    for (const auto& [expert, weight] : choose_experts(logits, bias, task.routing)) {
      task.chosen[next] = expert;
      task.weights[next++] = weight;
    }
  }
}

void group(const DeviceGrouping& task) {
  const PlainAccess access;
  std::iota(task.order, task.order + task.choices, 0);
  std::stable_sort(task.order, task.order + task.choices,
                   [&](int a, int b) { return task.chosen[a] < task.chosen[b]; });
  std::fill_n(task.begins, task.experts + 1, 0);
  for (int place = 0; place < task.choices; ++place) {
    task.places[task.order[place]] = place;
    ++task.begins[task.chosen[task.order[place]] + 1];
  }
  std::partial_sum(task.begins, task.begins + task.experts + 1, task.begins);
}

float cell(const GroupedProduct& task, const DeviceExpert& expert, const Bf16* x, int col) {
  if (col >= task.cols) return 0;
  const int64_t row = int64_t{col} * task.depth;
  if (!task.gated) return plain_dot(expert.down + row, x, task.depth);
  const float gate = plain_dot(expert.gate + row, x, task.depth);
  return gate / (1 + std::exp(-gate)) * plain_dot(expert.up + row, x, task.depth);
}

void multiply(const GroupedProduct& task) {
  const PlainAccess access;
  for (int e = 0; e < task.experts; ++e) {
    for (int place = task.begins[e]; place < task.begins[e + 1]; ++place) {
      const int row = task.order != nullptr ? task.order[place] / task.top_k : place;
      for (int col = 0; col < task.out_stride; ++col) {
        task.out[int64_t{place} * task.out_stride + col] =
            f32_to_bf16(cell(task, task.weights[e], task.x + row * task.x_stride, col));
      }
    }
  }
}

}  // namespace

void launch_routing(const DeviceRouting& task, Stream stream) {
  stream->add([task] { route(task); });
}
void launch_grouping(const DeviceGrouping& task, Stream stream) {
  stream->add([task] { group(task); });
}
void launch_grouped(const GroupedProduct& task, Stream stream) {
  stream->add([task] { multiply(task); });
}

}  // namespace unmask::cuda
