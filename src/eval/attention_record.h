// What `unmask inspect-attention` saw: the attention of some heads of one layer in some denoising
// steps, averaged into cells and blocks of positions.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace unmask {

/// A square table over the positions of a canvas: queries down, keys across.
struct AttentionGrid {
  int unit = 1;                 // positions in a cell
  int cells = 0;                // on a side; the last one may be cut short by the canvas's end
  std::vector<float> values{};  // [cells, cells]; NaN in a row whose queries were not computed

  float at(int query, int key) const {
    return values[static_cast<size_t>(query) * static_cast<size_t>(cells) +
                  static_cast<size_t>(key)];
  }
  bool computed(int query) const;
};

/// Averages the attention of single queries into a grid.
class GridMean {
 public:
  enum class Of : uint8_t {
    pairs,  // a cell holds the mean probability of one query and one key
    sums    // a cell holds the probability of all its keys together, mean over its queries
  };
  GridMean(int length, int unit, Of of);
  /// One query's probabilities; the positions are those of its keys.
  void add(int query, std::span<const int> positions, std::span<const double> probabilities);
  AttentionGrid mean() const;

 private:
  int length_;
  int unit_;
  Of of_;
  int cells_;
  std::vector<double> sums_;
  std::vector<int> queries_;
};

/// The keys that each block of queries may look at, in blocks or one by one.
struct ChosenBlocks {
  int block_size = 0;
  int key_size = 0;                       // positions that an entry stands for
  std::vector<std::vector<int>> lists{};  // ascending, one a block of queries
};

struct HeadObservation {
  int head = 0;
  AttentionGrid map{};     // Of::pairs, of what the method let the queries see
  AttentionGrid blocks{};  // Of::sums, as if they saw all keys at hand: comparable between steps
  std::optional<ChosenBlocks> chosen{};    // none: nothing was left out
  std::optional<std::vector<int>> kept{};  // positions in the cache, ascending; none: no cache
};

struct StepObservation {
  int step = 0;
  Range block{};                         // positions being denoised
  int rows = 0;                          // positions that the layer computed
  std::vector<HeadObservation> heads{};  // none: the step did not come, or had nothing to compute
};

struct AttentionRecord {
  std::string model{};
  std::string method{};
  int layer = 0;
  int length = 0;         // of the canvas
  int prompt_length = 0;  // of it
  int block_length = 0;   // of the denoised blocks
  int total_steps = 0;    // planned
  int cell = 1;           // positions in a cell of the maps
  int score_block = 1;    // positions in a block of the scores
  std::vector<int> heads{};
  std::vector<StepObservation> steps{};

  int score_blocks() const { return (length + score_block - 1) / score_block; }
  /// How many key blocks count as a query block's best.
  int top_blocks() const;
};

/// How many of the `top` best key blocks of a query block two tables have in common: a share, mean
/// over the query blocks that both computed; NaN without one. Ties go to the lower block.
double agreement(const AttentionGrid& a, const AttentionGrid& b, int top);

/// Agreement of every two steps on one head, [steps, steps].
std::vector<double> step_agreement(const AttentionRecord& record, size_t head);

/// Means of what can be compared; NaN where nothing can.
struct MeanAgreement {
  double steps;  // two steps, the same head
  double heads;  // two heads, the same step
};
MeanAgreement mean_agreement(const AttentionRecord& record);

/// Block scores, chosen blocks, kept positions and agreement; NaN becomes null.
nlohmann::ordered_json to_json(const AttentionRecord& record);

}  // namespace unmask
