// LoRA adapters as PEFT writes them, made for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "support/tensor_files.h"

namespace unmask::testing {

inline nlohmann::json lora_config(int rank, double alpha) {
  return {{"peft_type", "LORA"},
          {"base_model_name_or_path", "some/base"},
          {"r", rank},
          {"lora_alpha", alpha},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"modules_to_save", nullptr},
          {"rank_pattern", nlohmann::json::object()},
          {"alpha_pattern", nlohmann::json::object()},
          {"target_modules", {"q_proj"}},
          {"task_type", "CAUSAL_LM"},
          {"use_dora", false},
          {"use_rslora", false}};
}

/// Adds the pair of a matrix [out, in] to an adapter.
inline void add_pair(FileTensors& tensors, std::mt19937& random, const std::string& module,
                     const std::vector<int64_t>& shape, int rank,
                     const std::string& dtype = "F32") {
  const std::string name = "base_model.model." + module;
  tensors[name + ".lora_A.weight"] = random_tensor(random, {rank, shape[1]}, dtype);
  tensors[name + ".lora_B.weight"] = random_tensor(random, {shape[0], rank}, dtype);
}

inline void write_adapter(const TempDir& dir, const nlohmann::json& config,
                          const FileTensors& tensors) {
  dir.write("adapter_config.json", config.dump());
  dir.write("adapter_model.safetensors", file_bytes(tensors));
}

}  // namespace unmask::testing
