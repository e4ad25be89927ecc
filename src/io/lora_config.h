// The keys of a PEFT adapter_config.json that matter for LoRA.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

class ConfigReader;

/// A value for the modules whose names match a pattern.
struct LoraPattern {
  std::string pattern;  // a regular expression for the end of the name, as PEFT matches it
  double value = 0;
};

struct LoraConfig {
  std::string base{};  // base_model_name_or_path
  int rank = 0;
  double alpha = 0;
  bool use_rslora = false;
  std::vector<LoraPattern> ranks{}, alphas{};  // rank_pattern, alpha_pattern

  int rank_of(const std::string& module) const;
  /// What the product of the matrices of this rank is multiplied by.
  float scale_of(const std::string& module, int64_t rank_found) const;
};

/// Throws Error naming the key for other kinds of adapters and for what is not implemented.
LoraConfig read_lora_config(const ConfigReader& config);

}  // namespace unmask
