// Rows split over ranks: random calls on the same tensors leave what one backend leaves.
#include "kernels/ranks/row_split.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/create_backend.h"
#include "support/random_tensor.h"
#include "support/thread_ranks.h"

namespace unmask {
namespace {

using testing::RandomTensor;
using testing::ThreadRanks;

constexpr int kTensors = 4;
constexpr int kRows = 23;
constexpr HeadShape kShape{.n_heads = 4, .n_kv_heads = 4, .head_dim = 4};
constexpr int kWidth = 16;

/// Tensors of one shape, and calls that read and write parts of them.
class Calls {
 public:
  Calls(Backend& backend, unsigned seed) : backend_(backend), random_(seed) {
    const RandomTensor weights(random_, kWidth, kWidth);
    matrix_ = backend_.pack(weights.matrix());
    norm_ = upload(1);
    for (int i = 0; i < kTensors; ++i) tensors_.push_back(upload(kRows));
  }

  void call() {
    const int n = 1 + draw(kRows - 1);
    const auto [a, b, c] = three();
    const Tensor x = part(a, n);
    const Tensor y = part(b, n);
    switch (draw(8)) {
      case 0: return backend_.rms_norm(x, norm_.view(1, kWidth), 1e-5F, draw(1) == 0 ? x : y);
      case 1: return backend_.add(x, y);
      case 2: return backend_.gather(whole(a), some(n), y);
      case 3: return backend_.scatter(x, some(n), whole(b));
      case 4: {
        const LinearMap maps[] = {{matrix_.get(), y, {}, draw(1) == 0 ? Into::store : Into::add},
                                  {matrix_.get(), y, {}, Into::add}};
        return backend_.linear(x, maps);
      }
      case 5: {
        AttentionTask task{.q = x, .kv = {whole(b), whole(b)}, .out = part(c, n)};
        if (draw(2) == 0) return backend_.attention({&task, 1}, kShape);
        const BlockPattern lists = some_keys();
        const Rows positions = some(n);
        task.pattern = &lists;
        task.positions = {positions.begin(), positions.end()};
        return backend_.attention({&task, 1}, kShape);
      }
      case 6: {
        Rotation rotation;
        rotation.frequencies = {1, 0.5F};
        std::vector<int> positions(static_cast<size_t>(n));
        for (int& p : positions) p = draw(kRows);
        return backend_.rope(x, positions, rotation);
      }
      case 7: {
        read_.resize(read_.size() + static_cast<size_t>(n));
        return backend_.row_changes(x, whole(b), some(n),
                                    std::span(read_).last(static_cast<size_t>(n)));
      }
      default: {
        read_.resize(read_.size() + static_cast<size_t>(n));
        backend_.cosine_rows(x, y, std::span(read_).last(static_cast<size_t>(n)));
      }
    }
  }

  /// What the host has read so far and, now, of all tensors.
  std::vector<float> results() {
    for (int i = 0; i < kTensors; ++i) {
      read_.resize(read_.size() + size_t{kRows} * kWidth);
      backend_.download(whole(i), read_.data() + read_.size() - size_t{kRows} * kWidth);
    }
    return read_;
  }

 private:
  int draw(int most) { return static_cast<int>(random_() % (static_cast<unsigned>(most) + 1)); }
  std::array<int, 3> three() {
    std::array<int, 3> drawn{};
    std::vector<int> left{0, 1, 2, 3};
    for (int& d : drawn) {
      const int i = draw(static_cast<int>(left.size()) - 1);
      d = left[static_cast<size_t>(i)];
      left.erase(left.begin() + i);
    }
    return drawn;
  }
  Buffer upload(int rows) {
    const RandomTensor values(random_, rows, kWidth);
    Buffer memory = backend_.allocate(dense_bytes(rows, kWidth, DType::f32));
    backend_.upload(values.values().data(), memory.view(rows, kWidth));
    return memory;
  }
  Tensor whole(int i) const { return tensors_[static_cast<size_t>(i)].view(kRows, kWidth); }
  Tensor part(int i, int n) {
    const int first = draw(1) == 0 ? 0 : draw(kRows - n);
    return whole(i).slice({first, first + n});
  }
  Rows some(int n) {
    if (draw(2) == 0) {
      const int first = draw(kRows - n);
      return Rows(Range{first, first + n});
    }
    std::vector<int> all(kRows);
    for (int i = 0; i < kRows; ++i) all[static_cast<size_t>(i)] = i;
    while (static_cast<int>(all.size()) > n) {
      all.erase(all.begin() + draw(static_cast<int>(all.size()) - 1));
    }
    return Rows(std::move(all));
  }

  BlockPattern some_keys() {
    constexpr int kBlock = 8;
    constexpr int kBlocks = (kRows + kBlock - 1) / kBlock;
    const bool columns = draw(1) == 0;
    BlockPattern pattern = columns ? BlockPattern::of_columns(kBlock, kShape.n_heads, kBlocks)
                                   : BlockPattern(kBlock, kShape.n_heads, kBlocks);
    for (int i = 0; i < kShape.n_heads * kBlocks; ++i) {
      const int first = draw(columns ? kRows - 1 : kBlocks - 1);
      pattern.append(std::vector{static_cast<uint16_t>(first)});
    }
    return pattern;
  }

  Backend& backend_;
  std::mt19937 random_;
  std::unique_ptr<PackedMatrix> matrix_;
  Buffer norm_;
  std::vector<Buffer> tensors_;
  std::vector<float> read_;
};

/// As bits: a change between rows without any is no number, and shall be so on all ranks.
std::vector<uint32_t> results_of(Backend& backend) {
  std::vector<uint32_t> bits;
  int numbers = 0;
  for (unsigned seed = 0; seed < 12; ++seed) {  // sums of sums overflow after some hundred calls
    Calls calls(backend, seed);
    for (int i = 0; i < 50; ++i) calls.call();
    for (const float value : calls.results()) {
      bits.push_back(std::bit_cast<uint32_t>(value));
      numbers += std::isfinite(value) ? 1 : 0;
    }
  }
  EXPECT_GT(numbers, static_cast<int>(bits.size()) * 9 / 10);
  return bits;
}

TEST(RowSplit, RandomCallsLeaveWhatOneBackendLeaves) {
  for (const WeightType type : {WeightType::f32, WeightType::bf16}) {
    const CpuOptions cpu{.threads = 1, .weights = type};
    const DType keys = keys_of_attention(type, cpu.kernels);
    const std::vector<uint32_t> expected = results_of(*create_cpu_backend(cpu));
    for (int n = 1; n <= 5; ++n) {
      for (const int fewest : {1, 4}) {
        const int64_t least = fewest == 1 ? 1 : 1 << 20;  // in turns, and at once
        ThreadRanks ranks(n);
        ranks.each([&](Communicator& own) {
          const auto backend =
              create_row_split(create_cpu_backend(cpu), own,
                               {.fewest_rows = fewest, .keys = keys, .least_at_once = least});
          EXPECT_EQ(results_of(*backend), expected) << n << " ranks";
        });
      }
    }
  }
}

constexpr int kKeys = 24;

/// Some matrices of kKeys rows, the first with random numbers, and one of weights.
struct Keys {
  explicit Keys(Backend& backend) {
    std::mt19937 random(5);
    const RandomTensor weights(random, kWidth, kWidth);
    const RandomTensor input(random, kKeys, kWidth);
    matrix = backend.pack(weights.matrix());
    for (int i = 0; i < 5; ++i) {
      memory.push_back(backend.allocate(dense_bytes(kKeys, kWidth, DType::f32)));
    }
    backend.upload(input.values().data(), (*this)(0, kKeys));
  }
  Tensor operator()(size_t i, int rows) const { return memory[i].view(rows, kWidth); }

  std::unique_ptr<PackedMatrix> matrix;
  std::vector<Buffer> memory;
};

/// Attention over keys, some of which are then replaced by whoever has them, and again.
std::vector<float> attention_twice(Backend& backend) {
  const Keys view(backend);
  const auto& matrix = view.matrix;
  backend.linear(view(0, kKeys), {matrix.get(), view(1, kKeys)});  // keys
  backend.linear(view(1, kKeys), {matrix.get(), view(2, kKeys)});  // what replaces some
  const AttentionTask task{
      .q = view(2, kKeys), .kv = {view(1, kKeys), view(1, kKeys)}, .out = view(4, kKeys)};
  backend.attention({&task, 1}, kShape);
  std::vector<int> every_third;
  for (int i = 0; i < kKeys; i += 3) every_third.push_back(i);
  const Rows rows(every_third);
  backend.gather(view(2, kKeys), rows, view(3, rows.size()));
  backend.scatter(view(3, rows.size()), rows, view(1, kKeys));
  backend.attention({&task, 1}, kShape);
  std::vector<float> out(size_t{kKeys} * kWidth);
  backend.download(view(4, kKeys), out.data());
  return out;
}

TEST(RowSplit, RoundedKeysThatAreReplacedComeAnew) {
  const CpuOptions cpu{.threads = 1, .weights = WeightType::bf16};
  const auto expected = attention_twice(*create_cpu_backend(cpu));
  ThreadRanks ranks(4);
  ranks.each([&](Communicator& own) {
    const auto backend =
        create_row_split(create_cpu_backend(cpu), own,
                         {.fewest_rows = 1, .keys = keys_of_attention(cpu.weights, cpu.kernels)});
    EXPECT_EQ(attention_twice(*backend), expected);
  });
}

/// Passes over all rows between some over a few, which read a packed copy of keys and values.
std::vector<float> attention_between_cached(Backend& backend) {
  const Keys view(backend);
  const auto& matrix = view.matrix;
  PackedKv packed;
  std::vector<float> out;
  for (int round = 0; round < 3; ++round) {
    packed.forget();
    backend.linear(view(0, kKeys), {matrix.get(), view(1, kKeys)});
    for (const int rows : {kKeys, 2}) {
      const AttentionTask task{.q = view(0, kKeys).slice({0, rows}),
                               .kv = {view(1, kKeys), view(1, kKeys), &packed},
                               .out = view(2, rows)};
      backend.attention({&task, 1}, kShape);
    }
    out.resize(out.size() + size_t{2} * kWidth);
    backend.download(view(2, 2), out.data() + out.size() - size_t{2} * kWidth);
    backend.linear(view(2, kKeys), {matrix.get(), view(0, kKeys)});
  }
  return out;
}

TEST(RowSplit, TurnsLeaveNoPackedCopyBehindThatIsOld) {
  const CpuOptions cpu{.threads = 1, .weights = WeightType::bf16};
  const auto expected = attention_between_cached(*create_cpu_backend(cpu));
  ThreadRanks ranks(3);
  ranks.each([&](Communicator& own) {
    const auto backend = create_row_split(create_cpu_backend(cpu), own,
                                          {.fewest_rows = 4,
                                           .keys = keys_of_attention(cpu.weights, cpu.kernels),
                                           .least_at_once = 1});
    EXPECT_EQ(attention_between_cached(*backend), expected);
  });
}

TEST(RowSplit, OnlyKeysAndValuesTravel) {
  constexpr int kQueries = 64;
  ThreadRanks ranks(4);
  ranks.each([&](Communicator& own) {
    const auto backend = create_row_split(create_cpu_backend({.threads = 1}), own, {});
    std::mt19937 random(3);
    const RandomTensor weights(random, kWidth, kWidth);
    const auto matrix = backend->pack(weights.matrix());
    const size_t bytes = dense_bytes(kQueries * 2, kWidth, DType::f32);
    std::vector<Buffer> memory;
    for (int i = 0; i < 5; ++i) memory.push_back(backend->allocate(bytes));
    // 128 rows are enough for four ranks, 64 are not.
    for (const int rows : {kQueries, 2 * kQueries}) {
      const auto view = [&](size_t i) { return memory[i].view(rows, kWidth); };
      const int64_t before = own.traffic().bytes;
      const LinearMap maps[] = {
          {matrix.get(), view(1)}, {matrix.get(), view(2)}, {matrix.get(), view(3)}};
      backend->linear(view(0), maps);
      const AttentionTask task{.q = view(1), .kv = {view(2), view(3)}, .out = view(4)};
      backend->attention({&task, 1}, kShape);
      backend->add(view(0), view(4));
      const auto others = static_cast<int64_t>(2 * dense_bytes(rows / 4 * 3, kWidth, DType::f32));
      EXPECT_EQ(own.traffic().bytes - before, rows == kQueries ? 0 : others);
    }
  });
}

/// Every block of queries sees its own block of keys and the first.
BlockPattern own_and_first(int block, int n) {
  BlockPattern pattern(block, kShape.n_heads, n);
  for (int i = 0; i < kShape.n_heads * n; ++i) {
    const auto own = static_cast<uint16_t>(i % n);
    pattern.append(own == 0 ? std::vector<uint16_t>{0} : std::vector<uint16_t>{0, own});
  }
  return pattern;
}

TEST(RowSplit, OfKeysThatAPatternListsOnlyTheseTravel) {
  constexpr int kAll = 128;
  constexpr int kBlock = 16;
  std::vector<int> positions(kAll);
  std::iota(positions.begin(), positions.end(), 0);
  const BlockPattern pattern = own_and_first(kBlock, kAll / kBlock);
  for (const bool kept : {false, true}) {  // others read keys that are kept
    ThreadRanks ranks(4);
    ranks.each([&](Communicator& own) {
      PackedKv packed;
      const auto backend =
          create_row_split(create_cpu_backend({.threads = 1}), own, {.fewest_rows = 1});
      std::mt19937 random(3);
      const RandomTensor weights(random, kWidth, kWidth);
      const auto matrix = backend->pack(weights.matrix());
      std::vector<Buffer> memory;
      for (int i = 0; i < 5; ++i) {
        memory.push_back(backend->allocate(dense_bytes(kAll, kWidth, DType::f32)));
      }
      const auto view = [&](size_t i) { return memory[i].view(kAll, kWidth); };
      const LinearMap maps[] = {
          {matrix.get(), view(1)}, {matrix.get(), view(2)}, {matrix.get(), view(3)}};
      backend->linear(view(0), maps);
      const AttentionTask task{.q = view(1),
                               .kv = {view(2), view(3), kept ? &packed : nullptr},
                               .out = view(4),
                               .pattern = &pattern,
                               .positions = positions};
      backend->attention({&task, 1}, kShape);
      const int rows = kept ? kAll / 4 * 3 : own.leads() ? 0 : kBlock;
      EXPECT_EQ(own.traffic().bytes, int64_t{2} * rows * kWidth * 4);
      EXPECT_EQ(backend->whole(view(2)), kept);
      backend->complete(view(2));
      EXPECT_TRUE(backend->whole(view(2)));
    });
  }
}

}  // namespace
}  // namespace unmask
