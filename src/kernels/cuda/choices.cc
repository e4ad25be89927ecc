#include "kernels/cuda/choices.h"

namespace unmask::cuda {

bool is_plain(const TokenQuery& query) {
  const bool filtered =
      query.noise != Noise::gumbel && (query.top_k || (query.top_p && *query.top_p < 1));
  return query.temperature <= 0 && !filtered;
}

Choose choose_work(IndexLists& lists, Tensor logits, const TokenQuery& query, Choice* out) {
  const auto ids = [&](const std::vector<TokenId>& list) {
    return Ids{list.empty() ? nullptr : lists.on_device(list), static_cast<int>(list.size())};
  };
  return {logits.rows,
          logits.cols,
          view(logits),
          ids(query.removed),
          ids(query.forbidden),
          ids(query.without_confidence),
          out};
}

void check_token(int token) {
  if (token < 0) fail(ErrorCode::device, "[cuda] logits: found no number in a row");
}

}  // namespace unmask::cuda
