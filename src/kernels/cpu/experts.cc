#include "kernels/cpu/experts.h"

#include <algorithm>

#include "kernels/cpu/reserve.h"

namespace unmask::cpu {

namespace {

/// Rows of a buffer that grows.
Tensor rows_in(Buffer& buffer, int rows, int cols) {
  reserve(buffer, int64_t{rows} * cols);
  return buffer.view(rows, cols);
}

/// Calls task(i) for n rows of `cols`, by the threads where there is enough to do: waking them
/// takes as long as copying about this much.
template <typename Task>
void for_rows(ThreadPool& pool, int n, int cols, const Task& task) {
  constexpr int64_t kEnough = 32 * 1024;
  if (int64_t{n} * cols >= kEnough) return pool.run(n, [&](int i, int) { task(i); });
  for (int i = 0; i < n; ++i) task(i);
}

void check(Tensor x, const Experts& experts, Tensor out, Into into) {
  const auto n = static_cast<int>(experts.maps.size());
  UNMASK_CHECK(into != Into::gate, "the output of experts gates nothing");
  UNMASK_CHECK(out.rows == x.rows && out.cols == x.cols, "shapes of experts");
  UNMASK_CHECK(experts.router.rows == n && experts.router.cols == x.cols, "shape of a router");
  const Routing& routing = experts.routing;
  UNMASK_CHECK(1 <= routing.top_k && routing.top_k <= n, "a row takes one expert to all of them");
  UNMASK_CHECK(n % routing.groups == 0 && routing.groups_kept <= routing.groups &&
                   routing.top_k <= n / routing.groups * routing.groups_kept,
               "groups of experts");
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
  std::span<const float> bias;
  if (experts.router_bias) bias = {experts.router_bias.f32(), n};
  std::vector<std::vector<RoutedExpert>> chosen(static_cast<size_t>(x.rows));
  pool_.run(x.rows, [&](int r, int) {
    std::vector<float> logits(n);
    for (size_t e = 0; e < n; ++e) {
      logits[e] = table_.dot(x.f32(r), experts.router.f32(static_cast<int>(e)), x.cols);
    }
    chosen[static_cast<size_t>(r)] = choose_experts(logits, bias, experts.routing);
  });
  std::vector<std::vector<Choice>> taken(n);
  for (int r = 0; r < x.rows; ++r) {
    for (const RoutedExpert& choice : chosen[static_cast<size_t>(r)]) {
      taken[static_cast<size_t>(choice.expert)].push_back({r, choice.weight});
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
  for_rows(pool_, n, x.cols, [&](int i) {
    std::copy_n(x.f32(rows[static_cast<size_t>(i)].row), x.cols, input.f32(i));
  });
  multiply(input, maps, output, Into::store);
  for_rows(pool_, n, out.cols, [&](int i) {
    const Choice& choice = rows[static_cast<size_t>(i)];
    float* sum = out.f32(choice.row);
    for (int c = 0; c < out.cols; ++c) sum[c] += choice.weight * output.f32(i)[c];
  });
}

}  // namespace unmask::cpu
