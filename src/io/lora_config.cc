#include "io/lora_config.h"

#include <cmath>

#include "core/error.h"
#include "io/config_reader.h"
#include "io/text/regex.h"

namespace unmask {

namespace {

constexpr int kMaxRank = 1 << 20;

/// Options that change the formula; each must be absent, false, null or empty.
constexpr const char* kRefused[] = {
    "use_dora",          "use_qalora",        "lora_bias",       "trainable_token_indices",
    "layer_replication", "target_parameters", "megatron_config", "alora_invocation_tokens"};

/// The value of the first pattern that fits, as PEFT's get_pattern_key; PEFT sorts them, too.
double value_for(const std::string& module, const std::vector<LoraPattern>& patterns,
                 double fallback) {
  for (const LoraPattern& p : patterns) {
    if (Regex(R"(\A(?:.*\.)?(?:)" + p.pattern + R"()\z)").matches(module)) return p.value;
  }
  return fallback;
}

std::vector<LoraPattern> read_patterns(const ConfigReader& config, const char* key) {
  std::vector<LoraPattern> patterns;
  const auto section = config.section(key);
  if (!section) return patterns;
  for (const std::string& pattern : section->keys()) {
    patterns.push_back({pattern, section->positive(pattern)});
  }
  return patterns;
}

void refuse_variants(const ConfigReader& config) {
  for (const char* key : kRefused) {
    if (!config.is_off(key)) config.reject(key, "is set, which is not implemented for adapters");
  }
  const std::string bias = config.optional_string("bias").value_or("none");
  if (bias != "none") {
    config.reject("bias", fmt::format("is '{}': adapters that train biases are not implemented",
                                      printable(bias)));
  }
  if (!config.is_string("init_lora_weights")) return;
  // These start from a base model that they have changed, so the pair alone says too little.
  const std::string init = *config.optional_string("init_lora_weights");
  if (init == "gaussian" || init == "eva" || init == "orthogonal") return;
  config.reject("init_lora_weights",
                fmt::format("is '{}', which changes the base model and is not implemented; save "
                            "the adapter as plain LoRA (PEFT: path_initial_model_for_weight_"
                            "conversion)",
                            printable(init)));
}

}  // namespace

int LoraConfig::rank_of(const std::string& module) const {
  return static_cast<int>(value_for(module, ranks, rank));
}

float LoraConfig::scale_of(const std::string& module, int64_t rank_found) const {
  const auto r = static_cast<double>(rank_found);
  return static_cast<float>(value_for(module, alphas, alpha) / (use_rslora ? std::sqrt(r) : r));
}

LoraConfig read_lora_config(const ConfigReader& config) {
  const std::string type = config.optional_string("peft_type").value_or("");
  if (type != "LORA") {
    config.reject("peft_type", fmt::format("is '{}': an adapter, but no LoRA; only LORA is "
                                           "implemented",
                                           printable(type)));
  }
  refuse_variants(config);
  return {.base = config.optional_string("base_model_name_or_path").value_or(""),
          .rank = config.size("r", kMaxRank),
          .alpha = config.positive("lora_alpha"),
          .use_rslora = config.optional_flag("use_rslora").value_or(false),
          .ranks = read_patterns(config, "rank_pattern"),
          .alphas = read_patterns(config, "alpha_pattern")};
}

}  // namespace unmask
