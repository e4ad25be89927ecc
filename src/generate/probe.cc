#include "generate/probe.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "generate/check_stats.h"
#include "generate/single_pass.h"
#include "methods/full.h"

namespace unmask {

namespace {

/// log of the sum of exp(logits).
double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - largest);
  return largest + std::log(sum);
}

}  // namespace

void Probe::check(const ProbeCanvas& canvas) const {
  const int vocab = model_.config().vocab_size;
  const auto length = static_cast<int>(canvas.tokens.size());
  const auto check_token = [vocab](TokenId id) {
    if (id < 0 || id >= vocab) fail("[probe] token id {}: expected 0 to {}", id, vocab - 1);
  };
  for (const TokenId id : canvas.tokens) check_token(id);
  int last = -1;
  for (const ProbePoint& point : canvas.points) {
    if (point.position <= last || point.position >= length) {
      fail("[probe] position {}: expected ascending ones below {}", point.position, length);
    }
    last = point.position;
    for (const TokenId id : point.tokens) check_token(id);
  }
}

std::vector<double> Probe::log_probabilities(std::span<const ProbeCanvas> canvases) {
  std::vector<double> found;
  each_row(canvases, [&](const ProbePoint& point, std::span<const float> row) {
    const double whole = log_sum_exp(row);
    for (const TokenId id : point.tokens) {
      found.push_back(static_cast<double>(row[static_cast<size_t>(id)]) - whole);
    }
  });
  return found;
}

std::vector<Alternatives> Probe::alternatives(std::span<const ProbeCanvas> canvases, int count) {
  std::vector<Alternatives> found;
  each_row(canvases, [&](const ProbePoint& point, std::span<const float> row) {
    UNMASK_CHECK(point.tokens.size() == 1, "a point with one token");
    found.push_back(find_alternatives(row, point.tokens[0], count));
  });
  return found;
}

void Probe::each_row(std::span<const ProbeCanvas> canvases, const UseRow& use) {
  Full method;
  std::vector<SinglePass> passes;
  passes.reserve(canvases.size());  // the slices refer to them
  std::vector<SequencePass> batch;
  std::vector<std::pair<const ProbeCanvas*, const ProbePoint*>> points;  // one for each wanted row
  for (const ProbeCanvas& canvas : canvases) {
    check(canvas);
    if (canvas.points.empty()) continue;
    std::vector<int> positions;
    for (const ProbePoint& point : canvas.points) {
      positions.push_back(point.position);
      points.emplace_back(&canvas, &point);
    }
    const Range all{0, static_cast<int>(canvas.tokens.size())};
    passes.emplace_back(model_.config(), method, canvas.tokens, all);
    batch.push_back(passes.back().slice(positions));
  }
  if (batch.empty()) return;
  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  std::vector<float> host;
  logits_.each(model_.forward(batch), [&](Tensor logits, int first) {
    host.resize(static_cast<size_t>(logits.rows) * vocab);
    model_.backend().download(logits, host.data());
    for (size_t r = 0; r < static_cast<size_t>(logits.rows); ++r) {
      const auto row = std::span(host).subspan(r * vocab, vocab);
      const auto& [canvas, point] = points[static_cast<size_t>(first) + r];
      if (!std::isfinite(log_sum_exp(row))) {
        fail(ErrorCode::not_finite,
             "[probe] the logits of position {} are no finite numbers: values overflowed on the "
             "way, or a packed file is damaged{}",
             point->position, place_of_overflow(model_, canvas->tokens));
      }
      use(*point, row);
    }
  });
}

}  // namespace unmask
