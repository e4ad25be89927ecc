#include "model/layer_rows.h"

#include <algorithm>
#include <utility>

namespace unmask {

namespace {

std::span<const int> part_of(const std::vector<int>& list, Range range) {
  return std::span(list).subspan(static_cast<size_t>(range.begin),
                                 static_cast<size_t>(range.size()));
}

}  // namespace

std::span<const int> LayerRows::positions_of(size_t sequence) const {
  return part_of(positions, parts[sequence].keys);
}

std::span<const int> LayerRows::query_positions_of(size_t sequence) const {
  return part_of(query_positions, parts[sequence].queries);
}

PassRows::PassRows(std::span<const SequencePass> batch) {
  std::vector<int> read;
  std::vector<int> queries;
  std::vector<int> read_of_queries;
  for (const SequencePass& s : batch) {
    const auto first = static_cast<int>(all.positions.size());
    const auto first_query = static_cast<int>(queries.size());
    auto next = s.wanted.begin();
    for (int i = 0; i < s.plan.rows.size(); ++i) {
      const int position = s.plan.rows[i];
      all.positions.push_back(position);
      const bool is_wanted = next != s.wanted.end() && *next == i;
      // Two positions may be read from one row.
      for (; next != s.wanted.end() && *next == i; ++next) {
        read.push_back(first + i);
        read_of_queries.push_back(static_cast<int>(queries.size()));
      }
      if (!is_wanted && !s.plan.queries.contains(position)) continue;
      queries.push_back(first + i);
      pruned.query_positions.push_back(position);
    }
    const Range keys{first, static_cast<int>(all.positions.size())};
    all.parts.push_back({keys, keys});
    pruned.parts.push_back({keys, {first_query, static_cast<int>(queries.size())}});
  }
  all.query_positions = pruned.positions = all.positions;
  wanted = Rows(std::move(read));
  asking = Rows(std::move(queries));
  wanted_of_asking = Rows(std::move(read_of_queries));
}

PartialRows::PartialRows(std::span<const SequencePass> batch, const LayerRows& all,
                         std::span<const LayerPlan> plans) {
  std::vector<int> list;
  for (size_t i = 0; i < plans.size(); ++i) {
    const Range own = all.parts[i].keys;
    const auto first = static_cast<int>(list.size());
    for (const int r : is_partial(plans[i]) ? plans[i].rows : Rows(Range{0, own.size()})) {
      list.push_back(own.begin + r);
      rows.positions.push_back(batch[i].plan.rows[r]);
    }
    const Range part{first, static_cast<int>(list.size())};
    rows.parts.push_back({part, part});
  }
  rows.query_positions = rows.positions;
  in_batch = Rows(std::move(list));
}

std::vector<Range> row_ranges(std::span<const SequencePass> batch) {
  std::vector<Range> ranges;
  int first = 0;
  for (const SequencePass& s : batch) {
    ranges.push_back({first, first + s.plan.rows.size()});
    first = ranges.back().end;
  }
  return ranges;
}

std::vector<Range> wanted_ranges(std::span<const SequencePass> batch) {
  std::vector<Range> ranges;
  int first = 0;
  for (const SequencePass& s : batch) {
    ranges.push_back({first, first + s.wanted.size()});
    first = ranges.back().end;
  }
  return ranges;
}

bool cuts_after(int layer, std::span<const SequencePass> batch) {
  return std::ranges::any_of(batch, [layer](const SequencePass& s) {
    return std::ranges::count(s.plan.cuts, layer, &RowCut::layer) > 0;
  });
}

std::vector<RowGroup> group_rows(std::span<const SequencePass> batch,
                                 std::span<const LayerPlan> plans) {
  std::vector<RowGroup> groups;
  Range in_batch{};
  Range picked{};
  for (size_t begin = 0, end = 0; begin < batch.size(); begin = end) {
    const bool partial = is_partial(plans[begin]);
    while (end < batch.size() && is_partial(plans[end]) == partial) ++end;
    const PassRows rows(batch.subspan(begin, end - begin));
    in_batch = {in_batch.end, in_batch.end + static_cast<int>(rows.all.positions.size())};
    picked = {picked.end, picked.end + rows.wanted.size()};
    groups.push_back(
        {{static_cast<int>(begin), static_cast<int>(end)}, partial, in_batch, picked, rows});
  }
  return groups;
}

bool fits(std::span<const RowGroup> groups, std::span<const LayerPlan> plans) {
  for (const RowGroup& group : groups) {
    for (int i = group.sequences.begin; i < group.sequences.end; ++i) {
      if (is_partial(plans[static_cast<size_t>(i)]) != group.partial) return false;
    }
  }
  return !groups.empty();
}

}  // namespace unmask
