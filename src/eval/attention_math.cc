#include "eval/attention_math.h"

#include <algorithm>
#include <cmath>

namespace unmask {

std::vector<float> download_head(Backend& backend, Tensor from, int head, int head_dim) {
  std::vector<float> out(static_cast<size_t>(from.rows) * static_cast<size_t>(head_dim));
  if (out.empty()) return out;
  backend.download(from.columns({head * head_dim, (head + 1) * head_dim}), out.data());
  return out;
}

void attention_scores(std::span<const float> query, std::span<const float> keys,
                      std::span<double> out) {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size()));
  for (size_t j = 0; j < out.size(); ++j) {
    double sum = 0;
    for (size_t d = 0; d < query.size(); ++d) {
      sum += static_cast<double>(query[d]) * static_cast<double>(keys[j * query.size() + d]);
    }
    out[j] = sum * scale;
  }
}

void softmax(std::span<double> scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - largest);
  for (double& s : scores) s /= sum;
}

std::vector<int> key_positions(const Method& method, const AttendScope& scope,
                               const Attention& attention, int kv_head) {
  if (attention.kv.k.data == scope.k.data) return {scope.positions.begin(), scope.positions.end()};
  std::vector<int> positions = method.slot_positions(scope, kv_head);
  if (positions.empty() || static_cast<int>(positions.size()) > attention.kv.k.rows) {
    fail(
        "[attention] method '{}' does not say which positions its cache holds; choose another "
        "method",
        method.name());
  }
  return positions;
}

}  // namespace unmask
