// What GGUF files call the tensors of a model.
#pragma once

#include <string>

#include "io/containers/gguf_checkpoint.h"
#include "model/families.h"

namespace unmask {

/// E.g. "blk.3.attn_q.weight"; `layer` is ignored for roles outside the layers.
std::string gguf_tensor_name(TensorRole role, int layer);

/// Whether rows of `role` lie interleaved in GGUF files of the family (HostMatrix::interleaved):
/// those of LLaDA are made for a rotation of neighbouring rows, the others for halves of a head.
bool gguf_interleaves(Family family, TensorRole role);

/// Gives the tensors the names that the family's safetensors have. Throws Error naming the tensor
/// as the file calls it when one is missing, has another shape or comes in blocks where only plain
/// values are read, and for a tensor that the model has no use for: leaving it out would change
/// what the model computes.
void adopt_names(GgufCheckpoint& checkpoint, const ModelConfig& config);

}  // namespace unmask
