#include "generate/check_stats.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "core/error.h"
#include "generate/single_pass.h"
#include "methods/full.h"

namespace unmask {

namespace {

[[noreturn]] void refuse(int position, int step) {
  fail(
      ErrorCode::not_finite,
      "[generation] step {}: the logits of position {} are no finite numbers: values overflowed on "
      "the way, or a packed file is damaged",
      step, position);
}

}  // namespace

void check_stats(std::span<const TokenStats> stats, std::span<const int> positions, int step) {
  for (size_t i = 0; i < stats.size(); ++i) {
    // One logit that is no number makes the entropy none; the probability may hide it.
    if (!std::isfinite(stats[i].neg_entropy) || !std::isfinite(stats[i].probability)) {
      refuse(positions[i], step);
    }
  }
}

std::string place_of_overflow(Transformer& model, std::span<const TokenId> tokens) {
  const Range all{0, static_cast<int>(tokens.size())};
  const std::vector<int> last{all.end - 1};
  Full method;
  SinglePass canvas(model.config(), method, tokens, all);
  SequencePass pass = canvas.slice(last);
  pass.wanted = Rows(all);  // so that the last layer computes every row
  std::optional<int> first;
  std::vector<float> values;
  model.forward({&pass, 1}, [&](int layer, Tensor x) {
    if (first) return;
    values.resize(static_cast<size_t>(x.rows) * static_cast<size_t>(x.cols));
    model.backend().download(x, values.data());
    const auto is_finite = [](float value) { return std::isfinite(value); };
    if (!std::all_of(values.begin(), values.end(), is_finite)) first = layer;
  });
  return first ? fmt::format(", first in layer {}", *first) : ", behind the last layer";
}

void check_revealed(std::span<const Revealed> revealed, std::span<const int> positions,
                    int first_step, int steps) {
  for (size_t i = 0; i < revealed.size(); ++i) {
    const bool decided = revealed[i].step < steps;
    if (decided && !std::isfinite(revealed[i].confidence)) {
      refuse(positions[i], first_step + revealed[i].step);
    }
  }
}

}  // namespace unmask
