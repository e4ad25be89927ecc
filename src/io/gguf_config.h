// What the metadata of a GGUF file says about the architecture of a model.
#pragma once

#include "io/containers/gguf_checkpoint.h"
#include "io/model_config.h"

namespace unmask {

/// Whether the embedding serves as head, where the tensors do not show it: in a packed model.
inline constexpr const char* kGgufTiedHead = "unmask.tied_head";

/// The architecture of a family, as general.architecture spells it; empty where there is none.
std::string_view gguf_architecture(Family family);

/// Whether readers divide the weights of a row's experts by their sum, where the file says nothing.
bool gguf_normalizes_experts(Family family);

/// Reads the keys of the architectures llada, dream, llada-moe and rnd1; the head is tied where no
/// tensor "output.weight" is there, and rows of logits are shifted where the file does not say.
/// Throws Error that names the file and the key when a required one is missing or wrong, or asks
/// for something not implemented; codes mask_id and eos_id where the file lacks a token that
/// `overrides` could name.
ModelConfig read_gguf_config(const GgufCheckpoint& checkpoint,
                             const ModelOverrides& overrides = {});

}  // namespace unmask
