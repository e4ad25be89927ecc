#include "serve/api/models.h"

#include "core/error.h"
#include "methods/registry.h"
#include "serve/api/envelope.h"

namespace unmask {

namespace {

int64_t count_parameters(const ModelConfig& config) {
  const int64_t attention =
      int64_t{config.dim} * config.head_dim * (2 * config.n_heads + 2 * config.n_kv_heads);
  const int64_t layer = attention + int64_t{3} * config.dim * config.ffn_dim;
  const int64_t tables = int64_t{config.vocab_size} * config.dim * (config.tied_head ? 1 : 2);
  return layer * config.n_layers + tables;
}

/// Its text, as llama.cpp's clients expect it; empty for none.
std::string chat_template(const ModelFiles& files) {
  try {
    return files.chat_template().source();
  } catch (const Error&) {
    return "";
  }
}

Json diffusion_props(const ApiContext& context) {
  Json presets = Json::array();
  for (const PresetSettings& preset : unmask::presets()) {
    presets.push_back({{"name", preset.name}, {"what", preset.what}});
  }
  Json algorithms = Json::array();
  for (const Algorithm a : {Algorithm::low_confidence, Algorithm::random, Algorithm::maskgit_plus,
                            Algorithm::topk_margin, Algorithm::entropy, Algorithm::origin}) {
    algorithms.push_back(algorithm_name(a));
  }
  return {{"preset", preset_name(context.defaults.options.preset)},
          {"presets", std::move(presets)},
          {"methods", method_names()},
          {"algorithms", std::move(algorithms)},
          {"mask_id", context.files.config().mask_id},
          {"max_tokens", context.defaults.max_tokens},
          {"max_gen_length", context.defaults.context}};
}

Json decision_props(const DecisionSetup& decisions) {
  const auto& calibration = decisions.calibration;
  return {{"max_choices", decisions.decider ? decisions.decider->most_choices() : 0},
          {"calibration", calibration ? to_json(*calibration) : Json("none")}};
}

}  // namespace

Prepared list_models(const http::Request& /*request*/, const ApiContext& context) {
  const ModelConfig& config = context.files.config();
  const Json meta{{"n_ctx_train", config.max_positions},
                  {"n_vocab", config.vocab_size},
                  {"n_params", count_parameters(config)},
                  {"size", context.costs.weight_bytes()}};
  const Json model{{"id", context.model},
                   {"object", "model"},
                   {"created", context.created},
                   {"owned_by", "unmask"},
                   {"meta", meta},
                   {"architecture", {{"output_modalities", {"text", "decisions"}}}}};
  return {json_reply({{"object", "list"}, {"data", Json::array({model})}})};
}

Prepared show_props(const http::Request& /*request*/, const ApiContext& context) {
  return {json_reply(
      {{"default_generation_settings", {{"n_ctx", context.defaults.context}, {"temperature", 0}}},
       {"total_slots", context.slots},
       {"model_path", context.model},
       {"chat_template", chat_template(context.files)},
       {"build_info", "unmask " + context.version},
       {"diffusion", diffusion_props(context)},
       {"decisions", decision_props(context.decisions)}})};
}

}  // namespace unmask
