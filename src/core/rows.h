// Lists of row numbers.
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace unmask {

/// Ascending row numbers of some tensor.
class Rows {
 public:
  Rows() = default;
  explicit Rows(Range range) : list_(static_cast<size_t>(range.size())) {
    std::iota(list_.begin(), list_.end(), range.begin);
  }
  explicit Rows(std::vector<int> list) : list_(std::move(list)) {}

  int size() const { return static_cast<int>(list_.size()); }
  bool empty() const { return list_.empty(); }
  int operator[](int i) const { return list_[static_cast<size_t>(i)]; }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  bool operator==(const Rows&) const = default;

 private:
  std::vector<int> list_;
};

}  // namespace unmask
