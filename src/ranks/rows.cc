#include "ranks/rows.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "ranks/columns.h"

namespace unmask {

namespace {

constexpr int64_t kValuesPerTask = 65536;  // some 20 us

/// As processors round whose attention reads bfloat16: what is too small to be normal becomes 0.
uint16_t rounded(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7f800000U) == 0) return static_cast<uint16_t>(bits >> 16 & 0x8000U);
  return f32_to_bf16(value);
}

/// Calls work(i) for the values from `begin` to `end`.
template <typename Work>
void each_value(ThreadPool& pool, int64_t begin, int64_t end, const Work& work) {
  const auto tasks = static_cast<int>((end - begin + kValuesPerTask - 1) / kValuesPerTask);
  pool.run(tasks, [&](int task, int) {
    const int64_t first = begin + task * kValuesPerTask;
    for (int64_t i = first; i < std::min(end, first + kValuesPerTask); ++i) work(i);
  });
}

int64_t row_bytes(Tensor t) { return t.stride * static_cast<int64_t>(dtype_bytes(t.dtype)); }

}  // namespace

SplitRows::Span SplitRows::span_of(Tensor t) {
  const auto* begin = static_cast<Place>(t.data);
  if (t.rows == 0) return {begin, begin};
  const auto last = static_cast<int64_t>(dense_bytes(1, t.cols, t.dtype));
  return {begin, begin + (t.rows - 1) * row_bytes(t) + last};
}

RowShares SplitRows::cut(int n) const {
  const Cut cut(n, 1, ranks_.size());
  RowShares shares;
  for (int r = 0; r < ranks_.size(); ++r) shares.push_back(cut.of(r));
  return shares;
}

std::map<SplitRows::Place, SplitRows::Ends>::const_iterator SplitRows::first_after(
    Place begin) const {
  auto found = pieces_.upper_bound(begin);
  if (found != pieces_.begin() && std::prev(found)->second.back() > begin) --found;
  return found;
}

bool SplitRows::whole(Tensor t) const {
  if (t.rows == 0) return true;
  const Span span = span_of(t);
  const auto piece = first_after(span.begin);
  return piece == pieces_.end() || piece->first >= span.end;
}

std::optional<RowShares> SplitRows::shares(Tensor t) const {
  if (t.rows == 0) return std::nullopt;
  const Span span = span_of(t);
  const auto piece = first_after(span.begin);
  if (piece == pieces_.end() || piece->first > span.begin) return std::nullopt;
  const Ends& ends = piece->second;
  if (ends.back() < span.end || t.cols != t.stride) return std::nullopt;
  RowShares shares;
  int first = 0;
  for (const Place end : ends) {
    const auto bytes = std::clamp(end, span.begin, span.end) - span.begin;
    if (bytes % row_bytes(t) != 0) return std::nullopt;
    const auto last = static_cast<int>(bytes / row_bytes(t));
    shares.push_back({first, last});
    first = last;
  }
  return shares;
}

void SplitRows::mark(Tensor t, const RowShares& shares) {
  UNMASK_CHECK(t.cols == t.stride, "a dense tensor");
  UNMASK_CHECK(shares.back().end == t.rows, "shares of all rows");
  const Span span = span_of(t);
  forget_rounded(span);
  if (t.rows == 0 || this->shares(t) == shares) return;
  take(span);
  Ends ends;
  for (const Range share : shares) ends.push_back(span.begin + share.end * row_bytes(t));
  const auto piece = pieces_.emplace(span.begin, std::move(ends)).first;
  join(piece);
  if (piece != pieces_.begin()) join(std::prev(piece));
}

void SplitRows::join(std::map<Place, Ends>::iterator piece) {
  const auto next = std::next(piece);
  if (next == pieces_.end() || piece->second.back() != next->first) return;
  Ends& ends = piece->second;
  const Ends& more = next->second;
  const auto first =
      std::find_if(more.begin(), more.end(), [&](Place e) { return e > next->first; });
  const auto rank = first - more.begin();  // the first that has some of the next piece
  if (ends[static_cast<size_t>(rank)] != ends.back()) return;  // a later one has some of this one
  std::copy(first, more.end(), ends.begin() + rank);
  pieces_.erase(next);
}

void SplitRows::written(Tensor t) {
  if (t.cols != t.stride) return complete(t);  // the other columns are not written
  take(span_of(t));
}

void SplitRows::forget(const void* data, size_t bytes) {
  const auto* begin = static_cast<Place>(data);
  take({begin, begin + bytes});
}

std::map<SplitRows::Place, SplitRows::Ends> SplitRows::take(Span span) {
  std::map<Place, Ends> taken;
  if (span.begin == span.end) return taken;
  forget_rounded(span);
  const auto part = [](const Ends& ends, Place begin, Place end) {
    Ends clamped;
    for (const Place e : ends) clamped.push_back(std::clamp(e, begin, end));
    return clamped;
  };
  for (auto found = first_after(span.begin); found != pieces_.end() && found->first < span.end;
       found = first_after(span.begin)) {
    const auto [begin, ends] = *found;
    pieces_.erase(found);
    const Place end = ends.back();
    if (begin < span.begin) pieces_[begin] = part(ends, begin, span.begin);
    if (end > span.end) pieces_[span.end] = part(ends, span.end, end);
    const Place first = std::max(begin, span.begin);
    taken[first] = part(ends, first, std::min(end, span.end));
  }
  return taken;
}

void SplitRows::complete(Tensor t) {
  for (const auto& [begin, ends] : take(span_of(t))) {
    std::vector<int64_t> counts;
    Place from = begin;
    for (const Place end : ends) counts.push_back(end - std::exchange(from, end));
    auto* all = static_cast<std::byte*>(t.data) + (begin - static_cast<Place>(t.data));
    ranks_.gather(nullptr, counts, all);
  }
}

void SplitRows::forget_rounded(Span span) {
  auto found = rounded_.lower_bound(span.begin);
  if (found != rounded_.begin()) --found;
  while (found != rounded_.end() && found->first < span.end) {
    const auto [begin, end] = *found++;
    if (end <= span.begin) continue;
    rounded_.erase(begin);
    if (begin < span.begin) rounded_[begin] = span.begin;
    if (end > span.end) rounded_[span.end] = end;
  }
}

std::vector<SplitRows::Span> SplitRows::newly_rounded(Span span) {
  std::vector<Span> missing;
  Place known = span.begin;
  auto found = rounded_.lower_bound(span.begin);
  if (found != rounded_.begin()) --found;
  for (; found != rounded_.end() && found->first < span.end; ++found) {
    if (found->second <= known) continue;
    if (found->first > known) missing.push_back({known, found->first});
    known = found->second;
  }
  if (known < span.end) missing.push_back({known, span.end});
  forget_rounded(span);
  rounded_[span.begin] = span.end;
  return missing;
}

void SplitRows::complete_rounded(Tensor t, ThreadPool* pool) {
  UNMASK_CHECK(t.dtype == DType::f32, "float32 that is rounded");
  if (t.rows == 0) return;
  const Span span = span_of(t);
  for (auto piece = first_after(span.begin); piece != pieces_.end() && piece->first < span.end;
       ++piece) {
    const Ends& ends = piece->second;
    const Span part{std::max(piece->first, span.begin), std::min(ends.back(), span.end)};
    for (const Span& missing : newly_rounded(part)) {
      Ends own{missing.begin};
      for (const Place end : ends) own.push_back(std::clamp(end, missing.begin, missing.end));
      exchange_rounded(static_cast<std::byte*>(t.data) + (missing.begin - span.begin), own, pool);
    }
  }
}

/// `ends`: the beginning, then that of every rank's share.
void SplitRows::exchange_rounded(std::byte* all, const Ends& ends, ThreadPool* pool) {
  std::vector<int64_t> counts;  // bytes of bfloat16
  for (size_t r = 1; r < ends.size(); ++r) counts.push_back((ends[r] - ends[r - 1]) / 2);
  if (pool == nullptr) return ranks_.gather(nullptr, counts, all);
  auto* values = reinterpret_cast<float*>(all);
  const auto own = static_cast<size_t>(ranks_.rank());
  const auto value_at = [&](size_t end) {
    return (ends[end] - ends[0]) / static_cast<int64_t>(sizeof(float));
  };
  const int64_t total = value_at(ends.size() - 1);
  if (static_cast<int64_t>(wire_.size()) < total) wire_.resize(static_cast<size_t>(total));
  uint16_t* wire = wire_.data();
  each_value(*pool, value_at(own), value_at(own + 1),
             [&](int64_t i) { wire[i] = rounded(values[i]); });
  ranks_.gather(nullptr, counts, reinterpret_cast<std::byte*>(wire));
  const auto widen = [&](int64_t i) { values[i] = bf16_to_f32(wire[i]); };
  each_value(*pool, 0, value_at(own), widen);
  each_value(*pool, value_at(own + 1), total, widen);
}

}  // namespace unmask
