// A backend that computes nothing and counts the work instead: run the usual loop and methods on it
// to learn what a generation costs, whatever the size of the model.
#pragma once

#include <memory>
#include <optional>

#include "kernels/backend.h"

namespace unmask {

/// Work since the last reset. A multiplication with its addition counts as two operations.
struct WorkCount {
  double product_operations = 0;
  double attention_operations = 0;
  double weight_bytes = 0;     // read by products
  double kv_bytes = 0;         // keys and values read by attention, once a call
  double result_bytes = 0;     // of products and attention: what ranks that split columns exchange
  double largest_results = 0;  // of them the bytes that are exchanged at a time at most
  int exchanges = 0;           // of results
  double pairs = 0;            // of a query and a key that it sees, of all layers and query heads
  double all_pairs = 0;        // of a query and a key that its layer and head hold
  double queries = 0;          // of all layers and query heads
  int measurements = 0;        // that methods asked for
};

/// What the memory of a backend holds.
struct ElementSizes {
  double bytes_per_weight = 4;
  DType activations = DType::f32;  // Backend::activation_type()
  int tile_rows = 1024;            // Backend::tile_rows()
  bool keeps_embeddings = false;   // the table is copied, with bytes_per_weight
  /// Of keys and values in the layout of attention (PackedKv); none where it reads them in place.
  std::optional<DType> packed_kv = std::nullopt;

  // What decides in which form inputs travel to products (kernels/input_form.h):
  WeightType weights = WeightType::f32;  // of matrices that say nothing else
  bool bf16_inputs = false;              // of products with bfloat16 weights
  int ranks = 1;                         // that split columns; what they exchange is counted
};

/// Reads no memory: weights need no data, and what it allocates is address space only. What methods
/// measure comes back even: all scores equal, all keys equally important. What is proposed for a
/// mask changes with every step.
class CountingBackend : public Backend {
 public:
  /// Returns what was counted and starts from zero.
  virtual WorkCount take() = 0;
  /// Of the weights that were packed and the embeddings that were kept.
  virtual size_t weight_bytes() const = 0;
  /// The most bytes that were allocated at a time, weights included.
  virtual size_t peak_bytes() const = 0;
};

std::unique_ptr<CountingBackend> create_counting_backend(const ElementSizes& sizes);

}  // namespace unmask
