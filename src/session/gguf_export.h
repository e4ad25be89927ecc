// A model written as one GGUF file, for this and other engines.
#pragma once

#include <functional>
#include <ostream>

#include "core/block_format.h"
#include "core/stop.h"
#include "session/model_files.h"

namespace unmask {

struct GgufExport {
  BlockFormat format = BlockFormat::q8_0;  // Q8_0 or Q4_0
  int threads = 1;
  std::function<void(int64_t done, int64_t total)> progress{};  // bytes of the file's tensors
  StopToken stop{};
};

/// Writes configuration, tokenizer, chat template and weights. Matrices are quantized row by row,
/// with Q4_0 the embedding and the head to Q8_0, on which every position depends; norms, biases and
/// routers are F32; rows of LLaDA's queries and keys are interleaved, and experts of a layer
/// stacked, as other engines expect them. Throws Error when the format cannot express the model (a
/// tokenizer of another kind, rotations or kinds of experts that it has no key for, rows
/// that are no whole blocks), when weights are incomplete or no numbers, and Stopped.
void write_gguf(const ModelFiles& files, const GgufExport& options, std::ostream& out);

}  // namespace unmask
