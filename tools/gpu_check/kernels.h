// The part of the check of a GPU that calls the kernels of attention and of experts themselves.
#pragma once

#include <cstdint>
#include <vector>

#include "gpu_check/report.h"
#include "kernels/cuda/device.h"

namespace unmask::tools {

/// Outputs, log-sum-exps and block importance of every kernel that runs on the device, with random
/// values of this seed and outputs that begin as NaN, against float64 on some rows and heads.
void check_kernels(cuda::Device& device, uint32_t seed, Report& report);

/// Sorting choices and multiplying by experts against float64, and the times of products at the
/// shape of LLaDA2-mini.
void check_experts(cuda::Device& device, uint32_t seed, Report& report);

/// Times of the kernels at the shapes of LLaDA-8B and Dream-7B with so many positions, taken in
/// turns so that all see the same clock: dense, sparse, selection, a step with few rows, and
/// cuDNN's dense attention where it is installed. Checks on the way that the selection equals the
/// host's.
void time_kernels(cuda::Device& device, const std::vector<int>& lengths, uint32_t seed,
                  Report& report);

}  // namespace unmask::tools
