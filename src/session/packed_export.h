// A model written as one packed file, ready to be mapped.
#pragma once

#include <ostream>

#include "core/stop.h"
#include "model/weights.h"
#include "session/model_files.h"

namespace unmask {

struct PackedExport {
  /// bf16, int8 or int4; `stored` keeps the blocks of a GGUF file.
  WeightType weights = WeightType::int8;
  ModelOverrides overrides{};  // those that `files` were opened with; the file keeps them
  int threads = 1;
  LoadProgress progress{};  // bytes of the model that is read
  StopToken stop{};
};

/// Writes the files that describe the model, and its weights as a backend packs them, matrix by
/// matrix; what has no panels (vectors, embedding, float32) lies in rows as before. Throws Error
/// when the model is packed already, when its weights are incomplete or no numbers, and Stopped.
/// Returns the bytes written.
int64_t write_packed(const ModelFiles& files, const PackedExport& options, std::ostream& out);
/// The same of a checkpoint and its configuration; its path has the files.
int64_t write_packed(const TensorDirectory& checkpoint, const ModelConfig& config,
                     const PackedExport& options, std::ostream& out);

}  // namespace unmask
