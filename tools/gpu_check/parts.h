// The parts of the check of a GPU, each adding what it finds.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "gpu_check/report.h"
#include "kernels/create_backend.h"

namespace unmask::tools {

/// The options are for a CUDA device; others have none.
using MakeBackend = std::function<std::unique_ptr<Backend>(const CudaOptions&)>;

/// Every function of the backend against the reference, on shapes of real models, with random
/// values of this seed and results that begin as NaN.
void check_functions(const MakeBackend& make, uint32_t seed, Report& report);

/// Whole generations of the tiny checkpoints below `golden` against the recorded text.
void check_golden(const MakeBackend& make, const std::filesystem::path& golden, Report& report);

struct StepTimesOptions {
  std::string shape;         // as parse_shape() reads it
  std::vector<int> lengths;  // of the prompt
  int generated = 128;
  int real_steps = 16;
};

/// Times of denoising steps of a model with random weights: full, SparseD and Sparse-dLLM; what
/// whole generations take, composed of them.
void time_steps(const MakeBackend& make, const StepTimesOptions& options, Report& report);

/// A real run of `real_steps` steps at the last length against what its steps' times say.
void check_composition(const MakeBackend& make, const StepTimesOptions& options, Report& report);

}  // namespace unmask::tools
