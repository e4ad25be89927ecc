// A feed-forward of random experts and what it should give.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "core/dtype.h"
#include "support/device_tensor.h"
#include "support/random_tensor.h"

namespace unmask::testing {

struct ExpertShape {
  int rows, dim, width, experts, top_k;
  bool normalized;
  float scale;
  int shared_width;  // 0: none
};

inline std::vector<ExpertShape> expert_shapes() {
  return {{1, 8, 8, 1, 1, false, 1, 0},    {7, 24, 40, 4, 2, false, 1, 0},
          {33, 48, 16, 9, 4, true, 1, 16}, {64, 32, 20, 16, 8, true, 2.5F, 0},
          {5, 16, 24, 3, 3, false, 1, 48}, {0, 16, 16, 4, 2, false, 1, 0},
          {700, 16, 8, 40, 4, true, 1, 0}};  // more than pass together on the CPU
}

/// Rounds to bfloat16.
inline void round(const RandomTensor& t) {
  for (int r = 0; r < t.view().rows; ++r) {
    for (int c = 0; c < t.view().cols; ++c) {
      float& value = t.view().f32(r)[c];
      value = bf16_to_f32(f32_to_bf16(value));
    }
  }
}

/// Weights of one gated feed-forward.
struct Gated {
  Gated(std::mt19937& random, int dim, int width)
      : gate(random, width, dim, 0, 0.3F),
        up(random, width, dim, 0, 0.3F),
        down(random, dim, width, 0, 0.3F) {}
  void narrow() const {
    for (const RandomTensor* t : {&gate, &up, &down}) round(*t);
  }
  RandomTensor gate, up, down;
};

struct PackedGated {
  PackedGated(Backend& backend, const Gated& g)
      : gate(backend.pack(g.gate.matrix())),
        up(backend.pack(g.up.matrix())),
        down(backend.pack(g.down.matrix())) {}
  GatedMaps maps() const { return {gate.get(), up.get(), down.get()}; }
  std::unique_ptr<PackedMatrix> gate, up, down;
};

/// Random experts and the result as plain loops over its definition.
class ExpertCase {
 public:
  ExpertCase(std::mt19937& random, const ExpertShape& s)
      : shape(s), x(random, s.rows, s.dim, 3), router(random, s.experts, s.dim, 1, 0.5F) {
    for (int e = 0; e < s.experts; ++e) experts.emplace_back(random, s.dim, s.width);
    if (s.shared_width > 0) shared.emplace(random, s.dim, s.shared_width);
  }
  /// Rounds inputs and weights, but not the router, to bfloat16.
  void narrow() {
    round(x);
    for (const Gated& e : experts) e.narrow();
    if (shared) shared->narrow();
  }

  /// `from` and `out` lie in the backend's memory.
  void run(Backend& backend, Tensor from, Tensor out, Into into) const {
    std::vector<PackedGated> packed;
    for (const Gated& e : experts) packed.emplace_back(backend, e);
    std::vector<GatedMaps> maps;
    for (const PackedGated& p : packed) maps.push_back(p.maps());
    std::optional<PackedGated> packed_shared;
    if (shared) packed_shared.emplace(backend, *shared);
    const DeviceTensor on_backend(backend, router.view());
    const GatedMaps shared_maps = packed_shared ? packed_shared->maps() : GatedMaps{};
    backend.experts(
        from,
        {.router = on_backend.view(),
         .maps = maps,
         .shared = packed_shared ? &shared_maps : nullptr,
         .routing = {.top_k = shape.top_k, .normalized = shape.normalized, .scale = shape.scale}},
        out, into);
  }

  struct Value {
    double value = 0;
    double terms = 0;  // sum of the magnitudes that went into it: rounding is relative to these
  };
  /// Column `c` of what one feed-forward gives a row.
  static Value gated(const Gated& g, const float* row, int c) {
    Value sum;
    for (int j = 0; j < g.gate.view().rows; ++j) {
      Value gate;
      Value up;
      for (int i = 0; i < g.gate.view().cols; ++i) {
        const double a = static_cast<double>(row[i]) * g.gate.view().f32(j)[i];
        const double b = static_cast<double>(row[i]) * g.up.view().f32(j)[i];
        gate = {gate.value + a, gate.terms + std::abs(a)};
        up = {up.value + b, up.terms + std::abs(b)};
      }
      const double down = g.down.view().f32(c)[j];
      sum.value += down * gate.value / (1 + std::exp(-gate.value)) * up.value;
      sum.terms += std::abs(down) * gate.terms * up.terms;
    }
    return sum;
  }
  std::vector<double> probabilities(const float* row) const {
    std::vector<double> p;
    double sum = 0;
    for (int e = 0; e < shape.experts; ++e) {
      double logit = 0;
      for (int i = 0; i < shape.dim; ++i) {
        logit += static_cast<double>(row[i]) * router.view().f32(e)[i];
      }
      p.push_back(std::exp(logit));
      sum += p.back();
    }
    for (double& value : p) value /= sum;
    return p;
  }
  Value expected(int r, int c) const {
    const float* row = x.view().f32(r);
    const std::vector<double> p = probabilities(row);
    std::vector<double> sorted = p;
    std::sort(sorted.rbegin(), sorted.rend());
    const double least = sorted[static_cast<size_t>(shape.top_k) - 1];
    double taken = 0;
    for (int i = 0; i < shape.top_k; ++i) taken += sorted[static_cast<size_t>(i)];
    Value sum;
    const auto add = [&](const Gated& g, double weight) {
      const Value v = gated(g, row, c);
      sum = {sum.value + weight * v.value, sum.terms + weight * v.terms};
    };
    for (size_t e = 0; e < p.size(); ++e) {
      if (p[e] < least) continue;
      add(experts[e], p[e] / (shape.normalized ? taken : 1) * static_cast<double>(shape.scale));
    }
    if (shared) add(*shared, 1);
    return sum;
  }

  ExpertShape shape;
  RandomTensor x;
  RandomTensor router;
  std::vector<Gated> experts;
  std::optional<Gated> shared;
};

}  // namespace unmask::testing
