#include "ranks/rows.h"

#include <algorithm>
#include <utility>

#include "ranks/columns.h"

namespace unmask {

namespace {

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

std::vector<SplitRows::Piece> SplitRows::not_come(Span span, const Ends& ends, bool rounded) const {
  std::vector<Piece> missing;
  const auto add = [&](Place begin, Place end) {
    Piece& part = missing.emplace_back(Piece{begin, {}});
    for (const Place e : ends) part.ends.push_back(std::clamp(e, begin, end));
  };
  Place known = span.begin;
  auto found = rounded_.lower_bound(span.begin);
  if (found != rounded_.begin()) --found;
  for (; rounded && found != rounded_.end() && found->first < span.end; ++found) {
    if (found->second <= known) continue;
    if (found->first > known) add(known, found->first);
    known = found->second;
  }
  if (known < span.end) add(known, span.end);
  return missing;
}

std::optional<MissingRows> SplitRows::rows_of(const Piece& piece, Tensor t) {
  const auto row_of = [&](Place place) -> std::optional<int> {
    const auto bytes = place - static_cast<Place>(t.data);
    if (bytes % row_bytes(t) != 0) return std::nullopt;
    return static_cast<int>(bytes / row_bytes(t));
  };
  const auto begin = row_of(piece.begin);
  if (!begin) return std::nullopt;
  MissingRows missing;
  int first = 0;
  for (const Place place : piece.ends) {
    const auto end = row_of(place);
    if (!end) return std::nullopt;
    missing.shares.push_back({first, *end - *begin});
    first = *end - *begin;
  }
  missing.rows = t.slice({*begin, *begin + first});
  missing.first = *begin;
  return missing;
}

std::optional<std::vector<MissingRows>> SplitRows::missing(Tensor t, bool rounded) const {
  std::vector<MissingRows> missing;
  if (t.rows == 0) return missing;
  if (t.cols != t.stride) return std::nullopt;
  const Span span = span_of(t);
  for (auto piece = first_after(span.begin); piece != pieces_.end() && piece->first < span.end;
       ++piece) {
    for (const Piece& lacked : not_come(part_of(*piece, span), piece->second, rounded)) {
      const auto rows = rows_of(lacked, t);
      if (!rows) return std::nullopt;
      missing.push_back(*rows);
    }
  }
  return missing;
}

void SplitRows::come(Tensor t, bool rounded) {
  if (t.rows == 0) return;
  const Span span = span_of(t);
  if (!rounded) {
    take(span);
    return;
  }
  for (auto piece = first_after(span.begin); piece != pieces_.end() && piece->first < span.end;
       ++piece) {
    const Span part = part_of(*piece, span);
    forget_rounded(part);
    rounded_[part.begin] = part.end;
  }
}

}  // namespace unmask
