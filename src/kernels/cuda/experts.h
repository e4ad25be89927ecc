// A feed-forward of experts on a CUDA device: the functions that start its kernels, and what they
// are told. Plain C++. Nothing here allocates, synchronises or reads back, so that a step of such a
// model can be recorded.
#pragma once

#include "kernels/cuda/types.h"
#include "kernels/routing.h"

namespace unmask::cuda {

/// What the kernel that routes has room for.
inline constexpr int kMaxExperts = 512;
inline constexpr int kMaxGroups = 32;  // of experts

/// A router in float32 is as many matrices of bfloat16 that add up to it (SplitFloat): products of
/// bfloat16 inputs with them are those with float32.
inline constexpr int kRouterParts = 3;

/// choose_experts() for rows of logits.
struct DeviceRouting {
  const float* logits = nullptr;  // [rows, kRouterParts * experts], parts to be added up
  const float* bias = nullptr;    // [experts] or null
  int rows = 0;
  int experts = 0;
  Routing routing{};
  int32_t* chosen = nullptr;  // [rows, top_k], a row's experts ascending
  float* weights = nullptr;   // [rows, top_k]
};

/// Choices sorted by expert, those of one expert by row. A choice is its number in
/// DeviceRouting::chosen, a place its number after sorting.
struct DeviceGrouping {
  const int32_t* chosen = nullptr;  // [choices]
  int choices = 0;
  int experts = 0;
  int32_t* begins = nullptr;  // [experts + 1], places
  int32_t* order = nullptr;   // [choices], the choice at each place
  int32_t* places = nullptr;  // [choices], the place of each choice
};

/// Weights of one expert: bfloat16, dense, depths padded as products have them.
struct DeviceExpert {
  const Bf16* gate = nullptr;
  const Bf16* up = nullptr;
  const Bf16* down = nullptr;
};

/// The products of every expert with the inputs at its places: silu(gate x) * up x, or down x.
struct GroupedProduct {
  const DeviceExpert* weights = nullptr;  // [experts]
  bool gated = false;                     // else down
  const int32_t* begins = nullptr;        // as DeviceGrouping leaves them
  const Bf16* x = nullptr;                // [.., depth]
  int64_t x_stride = 0;                   // a multiple of kDepthMultiple
  /// The input of a place is row order[place] / top_k of x; null: row `place`.
  const int32_t* order = nullptr;
  int top_k = 1;
  Bf16* out = nullptr;  // [choices, out_stride]; columns beyond `cols` become zero
  int out_stride = 0;   // a multiple of kDepthMultiple, less than that more than `cols`
  int cols = 0;
  int depth = 0;  // a multiple of kDepthMultiple
  int choices = 0;
  int experts = 0;
};

/// Throws Error where the kernel has no room for so many experts or groups.
void launch_routing(const DeviceRouting& task, Stream stream);
void launch_grouping(const DeviceGrouping& task, Stream stream);
void launch_grouped(const GroupedProduct& task, Stream stream);

}  // namespace unmask::cuda
