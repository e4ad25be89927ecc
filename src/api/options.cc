#include "api/options.h"

#include <cmath>
#include <initializer_list>
#include <utility>

#include "core/error.h"
#include "generate/prefix_pool.h"
#include "session/adapters.h"
#include "session/device.h"
#include "session/find_model.h"

namespace unmask_v0 {

namespace {

constexpr int kMostTokens = 1'000'000;  // ten times the longest context
constexpr int kMostThreads = 1024;

void check_counts(const RequestOptions& o) {
  const std::initializer_list<std::pair<const char*, std::optional<int>>> counts{
      {"gen_length", o.gen_length},
      {"max_tokens", o.max_tokens},
      {"steps", o.steps},
      {"tokens_per_step", o.tokens_per_step},
      {"hole", o.hole},
      {"block_length", o.block_length}};
  for (const auto& [name, count] : counts) {
    if (count && (*count < 1 || *count > kMostTokens)) {
      unmask::fail("[request] {}: found {}, expected 1 to {}", name, *count, kMostTokens);
    }
  }
  if (o.grow && *o.grow > kMostTokens) {
    unmask::fail("[request] grow: found {}, expected at most {}", *o.grow, kMostTokens);
  }
  if (!std::isfinite(o.cfg_scale)) {
    unmask::fail("[request] cfg_scale: found {}, expected a number", o.cfg_scale);
  }
}

}  // namespace

unmask::PromptOptions prompt_options(const RequestOptions& o) {
  return {
      .raw = o.raw, .system = o.system, .format = o.chat_template, .variables = o.template_options};
}

unmask::RequestOptions generation_options(const RequestOptions& o) {
  check_counts(o);
  unmask::RequestOptions out{.preset = unmask::parse_preset(o.preset)};
  out.gen_length = o.gen_length;
  out.max_tokens = o.max_tokens;
  out.steps = o.steps;
  out.tokens_per_step = o.tokens_per_step;
  out.block_length = o.block_length;
  out.algorithm = o.algorithm;
  out.temperature = o.temperature;
  out.top_p = o.top_p;
  out.alg_temp = o.alg_temp;
  out.threshold = o.threshold;
  out.factor = o.factor;
  out.edit = o.edit;
  out.leap = o.leap;
  out.leap_radius = o.leap_radius;
  out.credit = o.credit;
  out.drafts = o.drafts;
  out.top_k = o.top_k;
  if (o.eps) out.eps = static_cast<float>(*o.eps);
  out.cfg_scale = o.cfg_scale;
  out.seed = o.seed;
  out.suppress_eos = o.suppress_eos;
  out.defer_eos = o.defer_eos;
  out.attach_eos = o.attach_eos;
  out.early_stop = o.early_stop;
  out.method = o.method;
  out.grow = o.grow;
  return out;
}

unmask::ModelOverrides overrides_of(const LoadOptions& o) {
  return {.family = o.family,
          .mask_id = o.mask_id,
          .eos_id = o.eos_id,
          .block = o.model_block,
          .shift_logits = o.shift_logits};
}

unmask::LoadOptions load_options(const LoadOptions& o) {
  if (o.threads < 0 || o.threads > kMostThreads) {
    unmask::fail("[model] threads: found {}, expected 0 (one a processor) to {}", o.threads,
                 kMostThreads);
  }
  unmask::LoadOptions out{.device = unmask::find_device(o.device).kind,
                          .weights = unmask::parse_weight_type(o.dtype),
                          .threads = o.threads};
  for (const std::string& adapter : o.lora) {
    out.adapters.push_back(unmask::parse_adapter(adapter, unmask::hub_cache()));
  }
  return out;
}

size_t prefix_bytes(const LoadOptions& o, const unmask::ModelConfig& config) {
  constexpr double kMost = 1e6;
  const double gigabytes =
      o.prefix_cache.value_or(config.visibility.is_block_causal() ? unmask::kUsualPrefixes : 0);
  if (!(gigabytes >= 0 && gigabytes <= kMost)) {
    unmask::fail("[model] prefix_cache: found {}, expected 0 to {} gigabytes", gigabytes, kMost);
  }
  return static_cast<size_t>(gigabytes * 1e9);
}

void check_tokens(std::span<const Token> tokens, const unmask::ModelConfig& config) {
  for (const Token token : tokens) {
    if (token < 0 || token >= config.vocab_size) {
      unmask::fail("[tokens] found {}, expected 0 to {}", token, config.vocab_size - 1);
    }
  }
}

}  // namespace unmask_v0
