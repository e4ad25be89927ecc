#include "kernels/cuda/emulator/warpgroup.h"

#include <algorithm>
#include <limits>

#include "core/dtype.h"
#include "kernels/cuda/emulator/block.h"

namespace unmask::cuda::emulator {

namespace {

constexpr int kRows = 64;
constexpr int kDepth = 16;

/// Fields of a matrix descriptor, in bytes.
struct Operand {
  uint32_t start;
  uint32_t panel_distance;
  uint32_t group_distance;

  Operand(uint64_t descriptor, Fault fault)
      : start(field(descriptor, 0)),
        panel_distance(field(descriptor, 16)),
        group_distance(field(descriptor, 32)) {
    if (descriptor >> 62 != 1) throw Defect("a matrix descriptor without the swizzle of 128 bytes");
    if (fault == Fault::swapped_distances) std::swap(panel_distance, group_distance);
    if (fault == Fault::wrong_depth_step) start += start % 128;
  }
  /// Contiguous along the depth: rows of 128 bytes, groups of eight.
  uint32_t along_depth(int row, int k) const {
    return start + static_cast<uint32_t>(row / 8) * group_distance +
           static_cast<uint32_t>(row % 8 * 128 + k * 2);
  }
  /// Contiguous across the depth: 64 columns side by side, then the next panel.
  uint32_t across_depth(int column, int k) const {
    return start + static_cast<uint32_t>(column / 64) * panel_distance +
           static_cast<uint32_t>(k / 8) * group_distance +
           static_cast<uint32_t>(k % 8 * 128 + column % 64 * 2);
  }

 private:
  static uint32_t field(uint64_t descriptor, int shift) {
    return static_cast<uint32_t>(descriptor >> shift & 0x3fff) * 16;
  }
};

/// Units of 16 bytes that a product reads.
std::vector<uint32_t> units_of(const Product& p, Fault fault) {
  std::vector<uint32_t> units;
  const auto add = [&](uint32_t address) { units.push_back(swizzled(address) / 16); };
  const Operand b(p.b, fault);
  if (p.fragments) {
    for (int k = 0; k < kDepth; ++k) {
      for (int c = 0; c < p.columns; c += 8) add(b.across_depth(c, k));
    }
    return units;
  }
  const Operand a(p.a, fault);
  for (int half = 0; half < kDepth; half += 8) {
    for (int r = 0; r < kRows; ++r) add(a.along_depth(r, half));
    for (int c = 0; c < p.columns; ++c) add(b.along_depth(c, half));
  }
  return units;
}

// Where thread `t` of a warpgroup finds its sum `i` of d.
size_t row_of(size_t t, size_t i) { return t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8; }
size_t column_of(size_t t, size_t i) { return i / 4 * 8 + t % 4 * 2 + i % 2; }

/// [kRows, kDepth] from shared memory.
std::vector<float> rows_of_a(const Product& p, SharedMemory& memory, Fault fault) {
  const Operand operand(p.a, fault);
  std::vector<float> a;
  for (int r = 0; r < kRows; ++r) {
    for (int k = 0; k < kDepth; ++k) a.push_back(memory.bf16(swizzled(operand.along_depth(r, k))));
  }
  return a;
}

/// [kRows, kDepth] from registers. Elements 0 to 3 of a thread: two of row r, two of r + 8; the
/// other four eight columns further.
template <typename Shares>
std::vector<float> fragments(const Shares& shares) {
  std::vector<float> a(kRows * kDepth);
  for (size_t t = 0; t < shares.size(); ++t) {
    for (size_t i = 0; i < 8; ++i) {
      const size_t column = t % 4 * 2 + i % 2 + i / 4 * 8;
      const auto bits = static_cast<uint16_t>(shares[t].fragment[i / 2] >> (16 * (i % 2)));
      a[row_of(t, i) * kDepth + column] = bf16_to_f32(bits);
    }
  }
  return a;
}

/// [kDepth, columns].
std::vector<float> rows_of_b(const Product& p, SharedMemory& memory, Fault fault) {
  const Operand operand(p.b, fault);
  std::vector<float> b;
  for (int k = 0; k < kDepth; ++k) {
    for (int c = 0; c < p.columns; ++c) {
      b.push_back(memory.bf16(
          swizzled(p.fragments ? operand.across_depth(c, k) : operand.along_depth(c, k))));
    }
  }
  return b;
}

}  // namespace

void Warpgroup::issue(int thread, float* d, const Product& product, const uint32_t* fragment,
                      SharedMemory& memory, Fault fault) {
  Member& own = member(thread);
  if (!own.fenced) throw Defect("a product starts without a fence after registers were written");
  if (own.issued == issued_.size()) {
    Issued& fresh = issued_.emplace_back();
    fresh.product = product;
    fresh.shares.resize(kThreads);
  }
  Issued& at = issued_[own.issued++];
  if (!(at.product == product)) throw Defect("the threads of a warpgroup disagree on a product");
  Share& share = at.shares[index(thread)];
  share.d = d;
  share.fragment = fragment;
  if (own.writing[d]++ == 0) {
    share.before.assign(d, d + product.columns / 2);
    std::fill_n(d, product.columns / 2, std::numeric_limits<float>::quiet_NaN());
  }
  if (++at.present < kThreads) return;
  at.units = units_of(product, fault);
  memory.begin(SharedMemory::Use::reading, at.units);
}

void Warpgroup::commit(int thread) {
  Member& own = member(thread);
  if (own.groups == groups_.size()) groups_.push_back({.end = own.issued});
  Group& group = groups_[own.groups++];
  if (group.end != own.issued) throw Defect("the threads of a warpgroup disagree on a group");
  ++group.committed_by;
}

bool Warpgroup::can_run() const {
  return groups_done_ < groups_.size() && groups_[groups_done_].committed_by == kThreads;
}

void Warpgroup::run_group(SharedMemory& memory, Fault fault) {
  const size_t first = groups_done_ == 0 ? 0 : groups_[groups_done_ - 1].end;
  for (size_t i = first; i < groups_[groups_done_].end; ++i) multiply(issued_[i], memory, fault);
  ++groups_done_;
}

void Warpgroup::multiply(const Issued& issued, SharedMemory& memory, Fault fault) {
  const Product& p = issued.product;
  const std::vector<float> a = p.fragments ? fragments(issued.shares) : rows_of_a(p, memory, fault);
  const std::vector<float> b = rows_of_b(p, memory, fault);
  const auto columns = static_cast<size_t>(p.columns);
  std::vector<float> product(kRows * columns);  // [rows, columns]
  for (size_t r = 0; r < kRows; ++r) {
    float* row = product.data() + r * columns;
    for (size_t k = 0; k < kDepth; ++k) {
      const float x = a[r * kDepth + k];
      for (size_t c = 0; c < columns; ++c) row[c] += x * b[k * columns + c];
    }
  }
  Results& results = results_[issued.shares[0].d];
  results.resize(kThreads);
  for (size_t t = 0; t < kThreads; ++t) {
    std::vector<float>& own = results[t];
    if (!issued.shares[t].before.empty()) own = issued.shares[t].before;
    for (size_t i = 0; i < columns / 2; ++i) {
      own[i] = (p.accumulate ? own[i] : 0) + product[row_of(t, i) * columns + column_of(t, i)];
    }
  }
}

void Warpgroup::wait(int thread, int pending, Threads& threads, SharedMemory& memory) {
  Member& own = member(thread);
  own.fenced = false;
  if (own.groups <= static_cast<size_t>(pending)) return;
  const size_t wanted = own.groups - static_cast<size_t>(pending);
  while (groups_done_ < wanted) threads.wait_while(groups_done_, groups_done_);
  for (; own.collected < groups_[wanted - 1].end; ++own.collected) {
    Issued& issued = issued_[own.collected];
    if (index(thread) == 0) memory.end(SharedMemory::Use::reading, issued.units);
    float* d = issued.shares[index(thread)].d;
    if (--own.writing[d] > 0) continue;
    const std::vector<float>& values = results_.at(issued.shares[0].d)[index(thread)];
    std::copy(values.begin(), values.end(), d);
  }
}

bool Warpgroup::idle() const {
  return std::all_of(threads_.begin(), threads_.end(),
                     [&](const Member& m) { return m.collected == issued_.size(); });
}

}  // namespace unmask::cuda::emulator
