// Attention at the granularity of blocks of positions: which blocks of keys each block of queries
// reads, and how much attention it pays to each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/error.h"

namespace unmask {

/// The lists of a pattern in the layout of the backend that reads them.
class PackedPattern {
 public:
  virtual ~PackedPattern() = default;
};

/// For every head and query block the ascending key blocks it reads, or the single keys (columns of
/// the attention matrix). Block i holds the positions [i * block_size, (i + 1) * block_size); the
/// last one may be cut short by the sequence's end.
class BlockPattern {
 public:
  BlockPattern() = default;
  BlockPattern(int block_size, int n_heads, int n_blocks)
      : block_size_(block_size), key_size_(block_size), n_heads_(n_heads), n_blocks_(n_blocks) {
    UNMASK_CHECK(block_size > 0 && n_blocks <= 65536, "key blocks are numbered with 16 bits");
  }

  /// A pattern whose lists name keys and not blocks of them.
  static BlockPattern of_columns(int block_size, int n_heads, int n_blocks) {
    BlockPattern pattern(block_size, n_heads, n_blocks);
    UNMASK_CHECK((n_blocks - 1) * int64_t{block_size} < 65536, "keys are numbered with 16 bits");
    pattern.key_size_ = 1;
    return pattern;
  }

  /// Adds the list of the next query block, head after head. `blocks` ascends and is not empty.
  void append(std::span<const uint16_t> blocks) {
    UNMASK_CHECK(!blocks.empty(), "every query reads at least one key block");
    packed_.form.reset();
    blocks_.insert(blocks_.end(), blocks.begin(), blocks.end());
    offsets_.push_back(blocks_.size());
  }

  /// The same kind of pattern for so many heads, still without lists.
  BlockPattern without_lists(int n_heads) const {
    BlockPattern pattern(block_size_, n_heads, n_blocks_);
    pattern.key_size_ = key_size_;
    return pattern;
  }

  int block_size() const { return block_size_; }
  /// Positions that an entry of a list stands for: a block, or one.
  int key_size() const { return key_size_; }
  int n_heads() const { return n_heads_; }
  int n_blocks() const { return n_blocks_; }
  std::span<const uint16_t> list(int head, int query_block) const {
    const auto row = static_cast<size_t>(head) * static_cast<size_t>(n_blocks_) +
                     static_cast<size_t>(query_block);
    return std::span(blocks_).subspan(offsets_[row], offsets_[row + 1] - offsets_[row]);
  }
  /// True when every head and query block has its list.
  bool complete() const {
    return offsets_.size() == static_cast<size_t>(n_heads_) * static_cast<size_t>(n_blocks_) + 1;
  }
  /// Share of the pairs of query and key blocks that is kept.
  double density() const {
    const double key_blocks = static_cast<double>(blocks_.size()) * key_size_ / block_size_;
    return key_blocks / n_heads_ / n_blocks_ / n_blocks_;
  }
  bool operator==(const BlockPattern&) const = default;

  /// Made and read by a backend; null until then. It lives and dies with these lists: append()
  /// forgets it and copies begin without.
  std::unique_ptr<PackedPattern>& packed() const { return packed_.form; }

 private:
  struct Packed {
    Packed() = default;
    ~Packed() = default;
    Packed(const Packed& /*other*/) {}
    Packed& operator=(const Packed& /*other*/) {
      form.reset();
      return *this;
    }
    Packed(Packed&&) = default;
    Packed& operator=(Packed&&) = default;
    bool operator==(const Packed& /*other*/) const { return true; }

    std::unique_ptr<PackedPattern> form;
  };

  int block_size_ = 0;
  int key_size_ = 0;
  int n_heads_ = 0;
  int n_blocks_ = 0;  // of queries and of keys alike
  std::vector<size_t> offsets_{0};
  std::vector<uint16_t> blocks_;
  mutable Packed packed_;
};

/// Which of the measured blocks a pattern keeps.
struct BlockSelection {
  double select = 0.3;   // share of the key blocks that each query block keeps
  double coverage = 0;   // > 0: instead, the fewest blocks that hold this share of the attention
  bool isolated = true;  // rank blocks of the prompt and of the generation apart
};

/// How much attention each query block pays to each key block: what a dense attention pass measures
/// on the way, asked with the first four members and answered in the others.
struct BlockImportance {
  int block_size = 0;
  float scale = 0;  // of the scores in the softmax that measures; need not be 1/sqrt(head_dim)
  int first_generation_block = 0;
  /// What the tables are for, where it is known: a backend that can choose where it measured
  /// answers with `chosen` and leaves the tables empty.
  std::optional<BlockSelection> selection{};
  BlockPattern chosen{};

  /// Sum of the probabilities of the block's queries and keys over block_size^2, under the softmax
  /// over all keys. [n_heads * n_blocks, n_blocks]
  std::vector<float> all;
  /// The same under the softmax over the keys of blocks from first_generation_block on.
  /// [n_heads * n_blocks, n_blocks - first_generation_block]
  std::vector<float> generation;
  int n_blocks = 0;

  int generation_blocks() const { return n_blocks - first_generation_block; }
  /// Sizes the tables for `heads` heads over `length` positions and clears them.
  void reset(int heads, int length) {
    n_blocks = (length + block_size - 1) / block_size;
    const auto rows = static_cast<size_t>(heads) * static_cast<size_t>(n_blocks);
    all.assign(rows * static_cast<size_t>(n_blocks), 0);
    generation.assign(rows * static_cast<size_t>(generation_blocks()), 0);
  }
};

}  // namespace unmask
