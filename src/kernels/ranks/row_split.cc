#include "kernels/ranks/row_split.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "kernels/create_backend.h"
#include "kernels/ranks/reading_wrapper.h"
#include "kernels/ranks/wanted_keys.h"
#include "kernels/split_attention.h"
#include "ranks/columns.h"
#include "ranks/row_exchange.h"
#include "ranks/rows.h"

namespace unmask {

namespace {

std::span<const int> part_of(std::span<const int> list, Range rows) {
  return list.empty()
             ? list
             : list.subspan(static_cast<size_t>(rows.begin), static_cast<size_t>(rows.size()));
}

AttentionTask part_of(const AttentionTask& task, Range rows) {
  AttentionTask part = task;
  part.q = task.q.slice(rows);
  part.out = task.out.slice(rows);
  part.positions = part_of(task.positions, rows);
  part.key_ends = part_of(task.key_ends, rows);
  return part;
}

/// Of the rows `list` of a tensor with these shares.
RowShares shares_of(const Rows& list, const RowShares& shares) {
  RowShares part;
  int first = 0;
  for (const Range share : shares) {
    const auto end = std::lower_bound(list.begin(), list.end(), share.end) - list.begin();
    part.push_back({first, static_cast<int>(end)});
    first = part.back().end;
  }
  return part;
}

Rows slice(const Rows& list, Range part) {
  return Rows(std::vector<int>(list.begin() + part.begin, list.begin() + part.end));
}

/// What a call does with many rows: products and attention are worth sharing out, the rest takes as
/// long as fetching the rows of others.
enum class Weight : uint8_t { light, heavy };

/// Where a pattern leaves more than this of keys and values to travel, all are gathered: pieces of
/// them cost more by the byte.
constexpr double kWorthChoosing = 0.9;

/// Keys and values of an attention that have not come.
struct Lacked {
  std::vector<LackedRows> rows;
  std::deque<WantedRows> wanted;  // that these point to
};

class RowSplit final : public ReadingWrapper {
 public:
  RowSplit(std::unique_ptr<Backend> own, Communicator& ranks, const RowSplitOptions& options)
      : ReadingWrapper(std::move(own)), options_(options), rows_(ranks), heads_(ranks) {
    if (!options.plans) pool_.emplace(options.threads);
  }

  std::string describe() const override {
    return fmt::format("{}, rows on {} ranks", inner().describe(), rows_.ranks().size());
  }
  void complete(Tensor t) override { rows_.complete(t); }
  bool whole(Tensor t) const override { return rows_.whole(t); }

  Buffer allocate(size_t bytes) override {
    Buffer memory = inner().allocate(bytes);
    rows_.forget(memory.data(), bytes);
    return memory;
  }
  void upload(const float* host, Tensor out) override {
    rows_.written(out);
    inner().upload(host, out);
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override {
    rows_.written(out);
    inner().embed(tokens, table, out);
  }
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override;
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override;
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    each_own({x}, {out},
             [&](Range own) { inner().rms_norm(x.slice(own), weight, eps, out.slice(own)); });
  }
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override {
    each_own({x}, {x},
             [&](Range own) { inner().rope(x.slice(own), part_of(positions, own), rotation); });
  }
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override;
  void add(Tensor x, Tensor y) override {
    each_own({x, y}, {x}, [&](Range own) { inner().add(x.slice(own), y.slice(own)); });
  }
  void extrapolate(Tensor x, Tensor y, float scale) override {
    each_own({x, y}, {x},
             [&](Range own) { inner().extrapolate(x.slice(own), y.slice(own), scale); });
  }
  void gather(Tensor from, const Rows& rows, Tensor out) override;
  void scatter(Tensor from, const Rows& rows, Tensor out) override;

 private:
  int rank() const { return rows_.ranks().rank(); }
  /// Who computes which rows of a call that reads these tensors row by row; none: everybody all.
  /// Rows stay where they are; of tensors that are split otherwise all ranks get all.
  std::optional<RowShares> agree(const std::vector<Tensor>& read, Weight weight);
  /// Calls work(rows) for the rows that this rank computes of such a call, and remembers who has
  /// what of the tensors it writes.
  template <typename Work>
  void each_own(const std::vector<Tensor>& read, const std::vector<Tensor>& written,
                const Work& work, Weight weight = Weight::light);
  /// True when each rank has what goes from its rows of `from` to rows of `out`.
  bool stays(const RowShares& from, const Rows& rows, Tensor out) const;

  /// Adds what of a task's keys and values has not come, as attention reads them. `queries`: shares
  /// of its queries; none: every rank has all.
  void add_lacked(const AttentionTask& task, const std::optional<RowShares>& queries,
                  const HeadShape& shape, Lacked& lacked);
  /// Attention of own rows, which reads rows that have not come: of some heads after others where
  /// these rows are worth it.
  void attend_while_they_come(std::vector<AttentionTask> tasks, const HeadShape& shape,
                              const Lacked& lacked);

  RowSplitOptions options_;
  std::optional<ThreadPool> pool_;  // where keys are rounded and copied
  SplitRows rows_;
  std::vector<std::byte> wire_;  // keys and values on their way
  ColumnGather heads_;
};

std::optional<RowShares> RowSplit::agree(const std::vector<Tensor>& read, Weight weight) {
  std::optional<RowShares> shares;
  for (const Tensor& t : read) {
    if (!shares) shares = rows_.shares(t);
  }
  const int n = read.front().rows;
  if (!shares && weight == Weight::heavy && n >= options_.fewest_rows * rows_.ranks().size()) {
    shares = rows_.cut(n);
  }
  for (const Tensor& t : read) {
    if (!shares || rows_.shares(t) != shares) complete(t);
  }
  return shares;
}

template <typename Work>
void RowSplit::each_own(const std::vector<Tensor>& read, const std::vector<Tensor>& written,
                        const Work& work, Weight weight) {
  const auto shares = agree(read, weight);
  const Range own = shares ? (*shares)[static_cast<size_t>(rank())] : Range{0, read.front().rows};
  if (own.size() > 0) work(own);
  for (const Tensor& t : written) {
    if (shares) {
      rows_.mark(t, *shares);
    } else {
      rows_.written(t);
    }
  }
}

void RowSplit::linear(Tensor x, std::span<const LinearMap> maps) {
  std::vector<Tensor> read{x};
  std::vector<Tensor> written;
  for (const LinearMap& map : maps) {
    const bool fresh = std::any_of(written.begin(), written.end(),
                                   [&](const Tensor& t) { return t.data == map.out.data; });
    if (map.into != Into::store && !fresh) read.push_back(map.out);
    written.push_back(map.out);
  }
  each_own(
      read, written,
      [&](Range own) {
        std::vector<LinearMap> parts(maps.begin(), maps.end());
        for (LinearMap& part : parts) part.out = part.out.slice(own);
        inner().linear(x.slice(own), parts);
      },
      Weight::heavy);
}

void RowSplit::experts(Tensor x, const Experts& experts, Tensor out, Into into) {
  std::vector<Tensor> read{x};
  if (into != Into::store) read.push_back(out);
  each_own(
      read, {out}, [&](Range own) { inner().experts(x.slice(own), experts, out.slice(own), into); },
      Weight::heavy);
}

void RowSplit::add_lacked(const AttentionTask& task, const std::optional<RowShares>& queries,
                          const HeadShape& shape, Lacked& lacked) {
  const bool rounded = options_.keys == DType::bf16;
  // Keys that are kept between calls are read by others, too, who want them all.
  const bool listed = task.pattern != nullptr && queries && task.kv.packed == nullptr;
  const WantedRows* wanted = nullptr;  // of keys and values alike
  for (const Tensor& t : {task.kv.k, task.kv.v}) {
    const auto missing = rows_.missing(t, rounded);
    if (!missing) {
      complete(t);
      continue;
    }
    if (missing->empty()) continue;
    if (listed && wanted == nullptr) {
      wanted = &lacked.wanted.emplace_back(wanted_keys(task, *queries, shape));
    }
    int64_t all = 0;
    int64_t read = 0;
    for (const MissingRows& m : *missing) {
      all += elements_to_travel({m});
      read += elements_to_travel({m, wanted});
    }
    const bool some = static_cast<double>(read) < kWorthChoosing * static_cast<double>(all);
    if (!some) rows_.come(t, rounded);
    for (const MissingRows& m : *missing) lacked.rows.push_back({m, some ? wanted : nullptr});
  }
}

void RowSplit::attend_while_they_come(std::vector<AttentionTask> tasks, const HeadShape& shape,
                                      const Lacked& lacked) {
  const auto attend = [this](auto some, const HeadShape& of) { inner().attention(some, of); };
  if (lacked.rows.empty()) {
    if (!tasks.empty()) attend(tasks, shape);
    return;
  }
  constexpr int64_t kMostTurns = 8;
  int64_t elements = 0;
  for (const LackedRows& l : lacked.rows) elements += elements_to_travel(l);
  const int64_t bytes = elements * static_cast<int64_t>(dtype_bytes(options_.keys)) /
                        std::max(1, rows_.ranks().size() - 1);
  const int64_t most = std::min<int64_t>(kMostTurns, shape.n_kv_heads);
  const auto turns = static_cast<int>(std::clamp<int64_t>(bytes / options_.least_at_once, 1, most));
  const Cut heads(shape.n_kv_heads, 1, turns);
  RowExchange::Form form{options_.keys, {}};
  for (int i = 0; i < turns; ++i) {
    const Range of = heads.of(i);
    form.columns.push_back({of.begin * shape.head_dim, of.end * shape.head_dim});
  }
  RowExchange exchange(rows_.ranks(), lacked.rows, std::move(form), pool_ ? &*pool_ : nullptr,
                       wire_);
  if (turns == 1) {
    exchange.wait(0);
    if (!tasks.empty()) attend(tasks, shape);
    return;
  }
  for (AttentionTask& task : tasks) task.kv.packed = nullptr;  // that has all heads
  for (int i = 0; i < turns; ++i) {
    exchange.wait(i);
    if (!tasks.empty()) attend_heads(tasks, shape, heads.of(i), attend);
  }
}

void RowSplit::attention(std::span<const AttentionTask> tasks, const HeadShape& shape) {
  std::vector<AttentionTask> own;
  std::vector<AttentionTask> measuring;
  std::vector<std::pair<Tensor, std::optional<RowShares>>> written;
  Lacked lacked;
  for (const AttentionTask& task : tasks) {
    if (task.q.rows == 0) continue;
    if (task.importance != nullptr || task.lse != nullptr) {  // of all rows, so heads are shared
      complete(task.q);
      measuring.push_back(task);
      measuring.back().kv.packed = nullptr;  // that has all heads
      written.emplace_back(task.out, std::nullopt);
      add_lacked(task, std::nullopt, shape, lacked);
      continue;
    }
    const auto shares = agree({task.q}, Weight::heavy);
    add_lacked(task, shares, shape, lacked);
    const Range rows = shares ? (*shares)[static_cast<size_t>(rank())] : Range{0, task.q.rows};
    if (rows.size() > 0) own.push_back(part_of(task, rows));
    written.emplace_back(task.out, shares);
  }
  attend_while_they_come(std::move(own), shape, lacked);
  if (!measuring.empty()) {
    const auto attend = [this](auto some, const HeadShape& of) { inner().attention(some, of); };
    HeadResults results = attend_own_heads(measuring, shape, attend, rows_.ranks());
    std::vector<CutColumns>& all = results.outs;
    all.insert(all.end(), results.measured.begin(), results.measured.end());
    heads_.run(all);
  }
  for (const auto& [out, shares] : written) {
    if (shares) {
      rows_.mark(out, *shares);
    } else {
      rows_.written(out);
    }
  }
}

void RowSplit::gather(Tensor from, const Rows& rows, Tensor out) {
  const auto shares = rows_.shares(from);
  if (!shares) {
    complete(from);
    inner().gather(from, rows, out);
    return rows_.written(out);
  }
  const RowShares part = shares_of(rows, *shares);
  const Range own = part[static_cast<size_t>(rank())];
  if (own.size() > 0) inner().gather(from, slice(rows, own), out.slice(own));
  rows_.mark(out, part);
}

bool RowSplit::stays(const RowShares& from, const Rows& rows, Tensor out) const {
  const auto shares = rows_.shares(out);
  return shares && shares_of(rows, *shares) == from;
}

void RowSplit::scatter(Tensor from, const Rows& rows, Tensor out) {
  const auto shares = rows_.shares(from);
  const bool together = !rows.empty() && rows[rows.size() - 1] - rows[0] + 1 == rows.size();
  if (!shares || !(together || stays(*shares, rows, out))) {
    complete(from);
    return inner().scatter(from, rows, out);
  }
  const Range own = (*shares)[static_cast<size_t>(rank())];
  if (own.size() > 0) inner().scatter(from.slice(own), slice(rows, own), out);
  if (together) return rows_.mark(out.slice({rows[0], rows[0] + rows.size()}), *shares);
  if (!rows.empty()) rows_.changed(out.slice({rows[0], rows[rows.size() - 1] + 1}));
}

}  // namespace

DType keys_of_attention(WeightType weights, const std::string& kernels) {
  const bool narrow = weights != WeightType::f32 && cpu_capabilities(kernels).bf16_attention;
  return narrow ? DType::bf16 : DType::f32;
}

std::unique_ptr<Backend> create_row_split(std::unique_ptr<Backend> own, Communicator& ranks,
                                          const RowSplitOptions& options) {
  return std::make_unique<RowSplit>(std::move(own), ranks, options);
}

}  // namespace unmask
