#include "kernels/cpu/experts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cpu/reserve.h"

namespace unmask::cpu {

namespace {

/// Rows of a buffer that grows.
Tensor rows_in(Buffer& buffer, int rows, int cols) {
  reserve(buffer, int64_t{rows} * cols);
  return buffer.view(rows, cols);
}

void check(Tensor x, const Experts& experts, Tensor out, Into into) {
  const auto n = static_cast<int>(experts.maps.size());
  UNMASK_CHECK(into != Into::gate, "the output of experts gates nothing");
  UNMASK_CHECK(out.rows == x.rows && out.cols == x.cols, "shapes of experts");
  UNMASK_CHECK(experts.router.rows == n && experts.router.cols == x.cols, "shape of a router");
  UNMASK_CHECK(1 <= experts.top_k && experts.top_k <= n, "a row takes one expert to all of them");
}

}  // namespace

void ExpertProducts::run(Tensor x, const Experts& experts, Tensor out, Into into) {
  check(x, experts, out, into);
  if (x.rows == 0) return;
  if (into == Into::store) {
    for (int r = 0; r < out.rows; ++r) std::fill_n(out.f32(r), out.cols, 0.0F);
  }
  const std::vector<std::vector<Choice>> taken = route(x, experts);
  for (size_t e = 0; e < taken.size(); ++e) {
    if (!taken[e].empty()) add_expert(x, experts.maps[e], taken[e], out);
  }
  if (experts.shared != nullptr) multiply(x, *experts.shared, out, Into::add);
}

std::vector<std::vector<ExpertProducts::Choice>> ExpertProducts::route(Tensor x,
                                                                       const Experts& experts) {
  const auto n = experts.maps.size();
  const auto top_k = static_cast<size_t>(experts.top_k);
  std::vector<float> weights(static_cast<size_t>(x.rows) * n);  // 0: not taken
  pool_.run(x.rows, [&](int r, int) {
    const std::span<float> row = std::span(weights).subspan(static_cast<size_t>(r) * n, n);
    std::vector<float> p(n);
    for (size_t e = 0; e < n; ++e) {
      p[e] = table_.dot(x.f32(r), experts.router.f32(static_cast<int>(e)), x.cols);
    }
    const float largest = *std::max_element(p.begin(), p.end());
    for (float& value : p) value = std::exp(value - largest);
    const float sum = std::accumulate(p.begin(), p.end(), 0.0F);
    for (float& value : p) value /= sum;
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::partial_sort(order.begin(), order.begin() + experts.top_k, order.end(),
                      [&](size_t a, size_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
    float taken = 0;
    for (size_t i = 0; i < top_k; ++i) taken += p[order[i]];
    const float scale = experts.normalized ? experts.scale / taken : experts.scale;
    for (size_t i = 0; i < top_k; ++i) row[order[i]] = p[order[i]] * scale;
  });
  std::vector<std::vector<Choice>> taken(n);
  for (int r = 0; r < x.rows; ++r) {
    for (size_t e = 0; e < n; ++e) {
      const float weight = weights[static_cast<size_t>(r) * n + e];
      if (weight != 0) taken[e].push_back({r, weight});
    }
  }
  return taken;
}

void ExpertProducts::multiply(Tensor x, const GatedMaps& maps, Tensor out, Into into) {
  const Tensor inner = rows_in(inner_, x.rows, maps.gate->out());
  const LinearMap gated[] = {{maps.gate, inner}, {maps.up, inner, {}, Into::gate}};
  linear_(x, gated);
  const LinearMap down{.weights = maps.down, .out = out, .into = into};
  linear_(inner, {&down, 1});
}

void ExpertProducts::add_expert(Tensor x, const GatedMaps& maps, const std::vector<Choice>& rows,
                                Tensor out) {
  const auto n = static_cast<int>(rows.size());
  const Tensor input = rows_in(input_, n, x.cols);
  const Tensor output = rows_in(output_, n, out.cols);
  pool_.run(n, [&](int i, int) {
    std::copy_n(x.f32(rows[static_cast<size_t>(i)].row), x.cols, input.f32(i));
  });
  multiply(input, maps, output, Into::store);
  pool_.run(n, [&](int i, int) {
    const Choice& choice = rows[static_cast<size_t>(i)];
    float* sum = out.f32(choice.row);
    for (int c = 0; c < out.cols; ++c) sum[c] += choice.weight * output.f32(i)[c];
  });
}

}  // namespace unmask::cpu
