#include "ranks/row_exchange.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace unmask {

namespace {

constexpr int64_t kValuesPerTask = 65536;  // some 20 us

/// As processors round whose attention reads bfloat16: what is too small to be normal becomes 0.
uint16_t rounded(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7f800000U) == 0) return static_cast<uint16_t>(bits >> 16 & 0x8000U);
  return f32_to_bf16(value);
}

void leave(const float* values, int n, DType type, std::byte* to) {
  if (type == DType::f32) {
    std::memcpy(to, values, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  auto* narrow = reinterpret_cast<uint16_t*>(to);
  for (int i = 0; i < n; ++i) narrow[i] = rounded(values[i]);
}

void arrive(const std::byte* from, int n, DType type, float* values) {
  if (type == DType::f32) {
    std::memcpy(values, from, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  const auto* narrow = reinterpret_cast<const uint16_t*>(from);
  for (int i = 0; i < n; ++i) values[i] = bf16_to_f32(narrow[i]);
}

/// Calls take(rows) for the rows of a share, in those of `lacked`, that a rank wants of a head.
template <typename Take>
void each_wanted(const LackedRows& lacked, int wanting, int head, Range share, const Take& take) {
  const int first = lacked.missing.first;
  for (const Range wanted : lacked.wanted->of(wanting, head)) {
    const Range rows{std::max(wanted.begin - first, share.begin),
                     std::min(wanted.end - first, share.end)};
    if (rows.size() > 0) take(rows);
  }
}

}  // namespace

int64_t elements_to_travel(const LackedRows& lacked) {
  const auto& [rows, shares, first] = lacked.missing;
  const auto ranks = static_cast<int>(shares.size());
  if (lacked.wanted == nullptr) return int64_t{rows.rows} * rows.cols * (ranks - 1);
  int64_t elements = 0;
  for (int wanting = 0; wanting < ranks; ++wanting) {
    for (int of = 0; of < ranks; ++of) {
      if (of == wanting) continue;
      for (int head = 0; head < rows.cols / lacked.wanted->head_dim(); ++head) {
        each_wanted(lacked, wanting, head, shares[static_cast<size_t>(of)], [&](Range some) {
          elements += int64_t{some.size()} * lacked.wanted->head_dim();
        });
      }
    }
  }
  return elements;
}

RowExchange::RowExchange(Communicator& ranks, const std::vector<LackedRows>& lacked, Form form,
                         ThreadPool* pool, std::vector<std::byte>& wire)
    : ranks_(ranks), form_(std::move(form)), pool_(pool), wire_(wire) {
  const bool some = std::any_of(lacked.begin(), lacked.end(),
                                [](const LackedRows& l) { return l.wanted != nullptr; });
  int64_t size = 0;
  for (const Range columns : form_.columns) {
    batches_.push_back(some ? exchanged(lacked, columns, size) : gathered(lacked, columns, size));
  }
  if (pool_ == nullptr) {
    for (const Batch& batch : batches_) fetch(batch);
    return;
  }
  if (static_cast<int64_t>(wire_.size()) < size) wire_.resize(static_cast<size_t>(size));
  for (const Batch& batch : batches_) {
    each_row(batch.own, [this](const float* values, int n, int64_t place) {
      leave(values, n, form_.type, wire_.data() + place);
    });
  }
  if (batches_.size() > 1) thread_ = std::thread([this] { fetch_all(); });
}

RowExchange::~RowExchange() {
  if (thread_.joinable()) thread_.join();
}

void RowExchange::add(const Tensor& rows, int64_t& place, Parts& parts) const {
  UNMASK_CHECK(rows.dtype == DType::f32, "float32 rows");
  if (rows.rows == 0) return;
  int64_t first = 0;
  if (!parts.empty()) {
    const auto& [before, unused, begin] = parts.back();
    first = begin + int64_t{before.rows} * before.cols;
  }
  parts.push_back({rows, place, first});
  place += static_cast<int64_t>(dense_bytes(rows.rows, rows.cols, form_.type));
}

RowExchange::Batch RowExchange::gathered(const std::vector<LackedRows>& lacked, Range columns,
                                         int64_t& place) const {
  Batch batch{.place = place};
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    const int64_t begin = place;
    for (const LackedRows& l : lacked) {
      const Range share = l.missing.shares[static_cast<size_t>(rank)];
      add(l.missing.rows.slice(share).columns(columns), place,
          rank == ranks_.rank() ? batch.own : batch.others);
    }
    batch.counts.push_back(place - begin);
  }
  return batch;
}

RowExchange::Batch RowExchange::exchanged(const std::vector<LackedRows>& lacked, Range columns,
                                          int64_t& place) const {
  Batch batch{.given = place};
  for (int wanting = 0; wanting < ranks_.size(); ++wanting) {
    const int64_t begin = place;
    for (const LackedRows& l : lacked) {
      add_wanted(l, ranks_.rank(), wanting, columns, place, batch.own);
    }
    batch.to.push_back(place - begin);
  }
  batch.place = place;
  for (int of = 0; of < ranks_.size(); ++of) {
    const int64_t begin = place;
    for (const LackedRows& l : lacked) {
      add_wanted(l, of, ranks_.rank(), columns, place, batch.others);
    }
    batch.counts.push_back(place - begin);
  }
  return batch;
}

void RowExchange::add_wanted(const LackedRows& lacked, int of, int wanting, Range columns,
                             int64_t& place, Parts& parts) const {
  if (of == wanting) return;
  const Range share = lacked.missing.shares[static_cast<size_t>(of)];
  const Tensor& rows = lacked.missing.rows;
  if (lacked.wanted == nullptr) return add(rows.slice(share).columns(columns), place, parts);
  const int width = lacked.wanted->head_dim();
  for (int at = columns.begin; at < columns.end; at += width) {
    const Tensor head = rows.columns({at, at + width});
    each_wanted(lacked, wanting, at / width, share,
                [&](Range some) { add(head.slice(some), place, parts); });
  }
}

void RowExchange::fetch(const Batch& batch) {
  std::byte* const wire = pool_ == nullptr ? nullptr : wire_.data();
  const auto at = [&](int64_t place) { return wire == nullptr ? nullptr : wire + place; };
  if (batch.to.empty()) return ranks_.gather(nullptr, batch.counts, at(batch.place));
  ranks_.exchange(at(batch.given), batch.to, at(batch.place), batch.counts);
}

template <typename Copy>
void RowExchange::each_row(const Parts& parts, const Copy& copy) {
  if (parts.empty()) return;
  const Part& last = parts.back();
  const int64_t elements = last.first + int64_t{last.rows.rows} * last.rows.cols;
  const auto tasks = static_cast<int>((elements + kValuesPerTask - 1) / kValuesPerTask);
  // A row belongs to the task that its first element does.
  pool_->run(tasks, [&](int task, int) {
    const int64_t begin = task * kValuesPerTask;
    const int64_t end = begin + kValuesPerTask;
    const auto after = [](int64_t element, const Part& p) { return element < p.first; };
    auto part = std::upper_bound(parts.begin(), parts.end(), begin, after) - 1;
    for (; part != parts.end() && part->first < end; ++part) {
      const auto& [rows, place, first] = *part;
      const auto bytes = static_cast<int64_t>(dense_bytes(1, rows.cols, form_.type));
      int64_t r = (std::max(begin - first, int64_t{0}) + rows.cols - 1) / rows.cols;
      for (; r < rows.rows && first + r * rows.cols < end; ++r) {
        copy(rows.f32(static_cast<int>(r)), rows.cols, place + r * bytes);
      }
    }
  });
}

void RowExchange::fetch_all() {
  for (const Batch& batch : batches_) {
    std::exception_ptr thrown;
    try {
      fetch(batch);
    } catch (...) {
      thrown = std::current_exception();
    }
    const std::lock_guard lock(lock_);
    if (thrown) {
      failed_ = thrown;
    } else {
      ++come_;
    }
    changed_.notify_one();
    if (thrown) return;
  }
}

void RowExchange::wait(int i) {
  if (pool_ == nullptr) return;
  const Batch& batch = batches_[static_cast<size_t>(i)];
  if (thread_.joinable()) {
    std::unique_lock lock(lock_);
    changed_.wait(lock, [&] { return come_ > i || failed_; });
    if (come_ <= i) std::rethrow_exception(failed_);
  } else {
    fetch(batch);
  }
  each_row(batch.others, [this](float* values, int n, int64_t place) {
    arrive(wire_.data() + place, n, form_.type, values);
  });
}

}  // namespace unmask
