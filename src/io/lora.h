// LoRA adapters (arXiv 2106.09685) as the PEFT library saves them: adapter_config.json and
// adapter_model.safetensors.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "io/containers/safetensors.h"

namespace unmask {

/// What a matrix W [out, in] becomes: W + scale B A.
struct LoraPair {
  bool transposed = false;  // of an embedding: W + scale (B A)^T, `in` and `out` swapped below
  const StoredTensor* a = nullptr;  // [rank, in]
  const StoredTensor* b = nullptr;  // [out, rank]
  float scale = 1;                  // lora_alpha / rank, or / sqrt(rank) with use_rslora

  int64_t rank() const { return a->shape[0]; }
};

/// One adapter; movable, its tensors lie in the mapped file.
class LoraAdapter {
 public:
  static constexpr const char* kConfigName = "adapter_config.json";

  /// Throws Error naming file and key or tensor when the folder holds no LoRA adapter, one of
  /// another kind (IA3, prefix tuning, ...), or a variant that is not implemented (DoRA, biases,
  /// ...), and as SafetensorsFile.
  explicit LoraAdapter(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const { return directory_; }
  /// The model it was trained for, as the file says; possibly empty.
  const std::string& base() const { return base_; }
  /// By the name of the adapted module in the base model, e.g. "model.layers.0.self_attn.q_proj".
  const std::map<std::string, LoraPair>& pairs() const { return pairs_; }
  /// Tensors that replace those of the base model (modules_to_save), by their names there.
  const std::map<std::string, const StoredTensor*>& replacements() const { return replacements_; }
  /// As Checkpoint::fingerprint.
  uint64_t fingerprint() const;
  /// Drops the pages of the file from memory; they can be read again.
  void release() const;

 private:
  void add(const std::string& stored_name, const StoredTensor& tensor);
  void check_pairs() const;

  std::filesystem::path directory_;
  SafetensorsFile file_;
  std::string base_;
  std::map<std::string, LoraPair> pairs_;
  std::map<std::string, const StoredTensor*> replacements_;
};

/// "a LoRA adapter of rank 8 for 'GSAI-ML/LLaDA-8B-Instruct'", for messages: what the
/// adapter_config.json of `directory` says, however broken.
std::string describe_adapter(const std::filesystem::path& directory);

}  // namespace unmask
