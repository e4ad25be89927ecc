#include "kernels/cpu/experts.h"

#include <algorithm>

#include "kernels/check_experts.h"
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

/// Where the next whole experts end that pass together: so many choices that the rest of a pass
/// hides how regions begin and end, few enough for their rows to stay in memory that is reused.
template <typename Choice>
size_t end_of_experts(const std::vector<Choice>& choices, size_t begin) {
  constexpr size_t kTogether = 2048;
  size_t end = std::min(begin + kTogether, choices.size());
  while (end < choices.size() && choices[end].expert == choices[end - 1].expert) ++end;
  return end;
}

}  // namespace

void ExpertProducts::run(Tensor x, const Experts& experts, Tensor out, Into into) {
  check_experts(x, experts, out, into);
  if (x.rows == 0) return;
  if (into == Into::store) {
    for (int r = 0; r < out.rows; ++r) std::fill_n(out.f32(r), out.cols, 0.0F);
  }
  const std::vector<Choice> choices = route(x, experts);
  for (size_t begin = 0; begin < choices.size();) {
    const size_t end = end_of_experts(choices, begin);
    add_experts(x, experts.maps, std::span(choices).subspan(begin, end - begin), out);
    begin = end;
  }
  if (experts.shared != nullptr) add_shared(x, *experts.shared, out);
}

std::vector<ExpertProducts::Choice> ExpertProducts::route(Tensor x, const Experts& experts) {
  const auto n = experts.maps.size();
  std::span<const float> bias;
  if (experts.router_bias) bias = {experts.router_bias.f32(), n};
  std::vector<std::vector<RoutedExpert>> chosen(static_cast<size_t>(x.rows));
  // Some experts times all rows: their part of the router stays in a near cache for the rows.
  constexpr int kTogether = 8;
  std::vector<float> logits(static_cast<size_t>(x.rows) * n);
  const auto count = static_cast<int>(n);
  pool_.run((count + kTogether - 1) / kTogether, [&](int task, int) {
    const int first = task * kTogether;
    for (int r = 0; r < x.rows; ++r) {
      table_.dots(x.f32(r), experts.router.f32(first), experts.router.stride,
                  std::min(kTogether, count - first), x.cols,
                  logits.data() + int64_t{r} * count + first);
    }
  });
  pool_.run(x.rows, [&](int r, int) {
    const auto own = std::span(logits).subspan(static_cast<size_t>(r) * n, n);
    chosen[static_cast<size_t>(r)] = choose_experts(own, bias, experts.routing);
  });
  std::vector<Choice> choices;
  for (int r = 0; r < x.rows; ++r) {
    for (const RoutedExpert& choice : chosen[static_cast<size_t>(r)]) {
      choices.push_back({choice.expert, r, choice.weight});
    }
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Choice& a, const Choice& b) { return a.expert < b.expert; });
  return choices;
}

void ExpertProducts::add_shared(Tensor x, const GatedMaps& maps, Tensor out) {
  const Tensor inner = rows_in(inner_, x.rows, maps.gate->out());
  const LinearMap gated[] = {{maps.gate, inner}, {maps.up, inner, {}, Into::gate}};
  multiply_(x, gated, {});
  const LinearMap down{.weights = maps.down, .out = out, .into = Into::add};
  multiply_(inner, {&down, 1}, {});
}

void ExpertProducts::add_experts(Tensor x, std::span<const GatedMaps> maps,
                                 std::span<const Choice> choices, Tensor out) {
  const auto n = static_cast<int>(choices.size());
  const auto width = maps[static_cast<size_t>(choices[0].expert)].gate->out();
  const Tensor input = rows_in(input_, n, x.cols);
  const Tensor inner = rows_in(inner_, n, width);
  const Tensor output = rows_in(output_, n, out.cols);
  for_rows(pool_, n, x.cols, [&](int i) {
    std::copy_n(x.f32(choices[static_cast<size_t>(i)].row), x.cols, input.f32(i));
  });
  std::vector<LinearMap> gated, down;
  std::vector<Range> gated_rows, rows;
  for (int begin = 0; begin < n;) {
    const int expert = choices[static_cast<size_t>(begin)].expert;
    int end = begin + 1;
    while (end < n && choices[static_cast<size_t>(end)].expert == expert) ++end;
    const GatedMaps& of = maps[static_cast<size_t>(expert)];
    const Range range{begin, end};
    gated.push_back({of.gate, inner.slice(range)});
    gated.push_back({of.up, inner.slice(range), {}, Into::gate});
    gated_rows.insert(gated_rows.end(), 2, range);
    down.push_back({of.down, output.slice(range)});
    rows.push_back(range);
    begin = end;
  }
  multiply_(input, gated, gated_rows);
  multiply_(inner, down, rows);
  std::vector<std::vector<int>> taken(static_cast<size_t>(x.rows));  // outputs, by row
  for (int i = 0; i < n; ++i) {
    taken[static_cast<size_t>(choices[static_cast<size_t>(i)].row)].push_back(i);
  }
  for_rows(pool_, x.rows, out.cols * n / x.rows, [&](int r) {
    for (const int i : taken[static_cast<size_t>(r)]) {
      const float weight = choices[static_cast<size_t>(i)].weight;
      for (int c = 0; c < out.cols; ++c) out.f32(r)[c] += weight * output.f32(i)[c];
    }
  });
}

}  // namespace unmask::cpu
