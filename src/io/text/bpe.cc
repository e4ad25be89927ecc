#include "io/text/bpe.h"

#include <algorithm>

namespace unmask {

namespace {

constexpr TokenId kGone = -1;  // id of a symbol that was merged into its left neighbour
constexpr int kNone = -1;

}  // namespace

void BpeEncoder::encode(std::string_view piece, std::vector<TokenId>& ids) {
  symbols_.clear();
  for (const char c : piece) {
    const TokenId id = model_->byte_id(static_cast<uint8_t>(c));
    if (id < 0) continue;
    const int here = static_cast<int>(symbols_.size());
    symbols_.push_back({.id = id, .previous = here - 1, .next = here + 1});
  }
  if (symbols_.empty()) return;
  symbols_.back().next = kNone;
  merge_all();
  for (int i = 0; i != kNone; i = symbols_[static_cast<size_t>(i)].next) {
    ids.push_back(symbols_[static_cast<size_t>(i)].id);
  }
}

/// Equal ranks go from left to right.
bool BpeEncoder::comes_later(const Candidate& a, const Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

std::optional<BpeEncoder::Candidate> BpeEncoder::candidate_at(int position) const {
  const Symbol& left = symbols_[static_cast<size_t>(position)];
  if (left.next == kNone) return std::nullopt;
  const TokenId right = symbols_[static_cast<size_t>(left.next)].id;
  const BpeModel::Merge* merge = model_->find(left.id, right);
  if (merge == nullptr) return std::nullopt;
  return Candidate{merge->rank, position, left.id, right};
}

void BpeEncoder::enqueue(int position) {
  if (const auto candidate = candidate_at(position)) {
    queue_.push_back(*candidate);
    std::push_heap(queue_.begin(), queue_.end(), comes_later);
  }
}

void BpeEncoder::merge_all() {
  queue_.clear();
  for (int i = 0; i < static_cast<int>(symbols_.size()); ++i) {
    if (const auto candidate = candidate_at(i)) queue_.push_back(*candidate);
  }
  std::make_heap(queue_.begin(), queue_.end(), comes_later);
  while (!queue_.empty()) {
    const Candidate best = queue_.front();
    std::pop_heap(queue_.begin(), queue_.end(), comes_later);
    queue_.pop_back();
    apply(best);
  }
}

void BpeEncoder::apply(const Candidate& candidate) {
  Symbol& left = symbols_[static_cast<size_t>(candidate.position)];
  if (left.id != candidate.left || left.next == kNone) return;  // outdated
  Symbol& right = symbols_[static_cast<size_t>(left.next)];
  if (right.id != candidate.right) return;  // outdated
  left.id = model_->find(candidate.left, candidate.right)->result;
  left.next = right.next;
  right.id = kGone;
  if (left.next != kNone) symbols_[static_cast<size_t>(left.next)].previous = candidate.position;
  if (left.previous != kNone) enqueue(left.previous);
  enqueue(candidate.position);
}

}  // namespace unmask
