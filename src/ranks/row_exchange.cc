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

}  // namespace

RowExchange::RowExchange(Communicator& ranks, const std::vector<MissingRows>& missing, Form form,
                         ThreadPool* pool, std::vector<std::byte>& wire)
    : ranks_(ranks), form_(std::move(form)), pool_(pool), wire_(wire) {
  int64_t size = 0;
  for (const Range columns : form_.columns) {
    batches_.push_back(lay_out(missing, columns, size));
    for (const int64_t count : batches_.back().counts) size += count;
  }
  if (pool_ == nullptr) {
    for (const Batch& batch : batches_) ranks_.gather(nullptr, batch.counts, nullptr);
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

RowExchange::Batch RowExchange::lay_out(const std::vector<MissingRows>& missing, Range columns,
                                        int64_t place) const {
  Batch batch;
  batch.place = place;
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    const int64_t begin = place;
    for (const MissingRows& m : missing) {
      UNMASK_CHECK(m.rows.dtype == DType::f32, "float32 rows");
      const Tensor rows = m.rows.slice(m.shares[static_cast<size_t>(rank)]).columns(columns);
      (rank == ranks_.rank() ? batch.own : batch.others).push_back({rows, place});
      place += static_cast<int64_t>(dense_bytes(rows.rows, rows.cols, form_.type));
    }
    batch.counts.push_back(place - begin);
  }
  return batch;
}

template <typename Copy>
void RowExchange::each_row(const std::vector<Part>& parts, const Copy& copy) {
  for (const auto& [rows, place] : parts) {
    const auto bytes = static_cast<int64_t>(dense_bytes(1, rows.cols, form_.type));
    const int at_once = std::max(1, static_cast<int>(kValuesPerTask / rows.cols));
    pool_->run((rows.rows + at_once - 1) / at_once, [&, &of = rows, first = place](int task, int) {
      const int end = std::min(of.rows, (task + 1) * at_once);
      for (int r = task * at_once; r < end; ++r) copy(of.f32(r), of.cols, first + r * bytes);
    });
  }
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
