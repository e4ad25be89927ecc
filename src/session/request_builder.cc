#include "session/request_builder.h"

#include <algorithm>

#include "core/error.h"

namespace unmask {

namespace {

constexpr int kDefaultLength = 128;
constexpr int kLladaBlock = 32;  // of the published evaluations of LLaDA-8B-Instruct

/// The algorithm by the user's word, the model's recommendation, or the family's custom.
Algorithm choose_algorithm(const RequestOptions& a, const ModelConfig& config) {
  if (a.algorithm) return parse_algorithm(*a.algorithm);
  if (config.family == Family::llada) return Algorithm::low_confidence;
  if (a.threshold || a.factor) return Algorithm::maskgit_plus;  // these rules need probabilities
  // The published files say `origin`, their library's neutral value; the model cards say entropy.
  const std::string advised = config.generation.alg.value_or("origin");
  return advised == algorithm_name(Algorithm::origin) ? Algorithm::entropy
                                                      : parse_algorithm(advised);
}

/// Recommendations of the model's files count only where they mean something, so that they cannot
/// clash with what the user asked for.
SamplerOptions sampler_options(const RequestOptions& a, const ModelConfig& config) {
  SamplerOptions options;
  options.algorithm = choose_algorithm(a, config);
  options.threshold = a.threshold;
  options.factor = a.factor;
  const GenerationDefaults none;
  const GenerationDefaults& advice =
      is_llada_algorithm(options.algorithm) ? none : config.generation;
  const bool ranks = options.algorithm != Algorithm::origin && !options.dynamic();
  options.temperature = a.temperature.value_or(advice.temperature.value_or(0));
  options.top_p = a.top_p ? a.top_p : std::optional<double>(advice.top_p);
  options.top_k = a.top_k ? a.top_k : advice.top_k;
  options.alg_temp = a.alg_temp.value_or(ranks ? advice.alg_temp.value_or(0) : 0);
  options.eps = a.eps.value_or(advice.eps.value_or(options.eps));
  options.suppress_eos = a.suppress_eos;
  options.defer_eos = a.defer_eos;
  options.seed = a.seed;
  return options;
}

void set_common(const RequestOptions& a, const ModelFiles& files, Request& request) {
  request.sampler = sampler_options(a, files.config());
  request.cfg_scale = a.cfg_scale;
  request.method = a.method;
  request.eos_ids = files.stop_ids();
}

}  // namespace

std::vector<TokenId> encode_messages(const ModelFiles& files, const PromptOptions& options,
                                     std::vector<ChatMessage> messages) {
  if (options.raw) {
    if (messages.size() != 1) {
      fail("[prompt] a raw prompt is one text: found {} messages, expected 1", messages.size());
    }
    return files.tokenizer().encode(messages[0].content);
  }
  if (options.system) messages.insert(messages.begin(), {"system", *options.system});
  const ChatFormat format =
      options.format ? parse_chat_format(*options.format) : files.chat_format();
  return files.tokenizer().encode(render_chat(format, messages));
}

std::vector<TokenId> encode_question(const ModelFiles& files, const PromptOptions& options,
                                     const std::string& question) {
  if (question.empty()) fail("[prompt] found an empty text, expected at least one character");
  return encode_messages(files, options, {{"user", question}});
}

Request build_request(const RequestOptions& a, const ModelFiles& files,
                      std::vector<TokenId> prompt) {
  const ModelConfig& config = files.config();
  const bool llada = config.family == Family::llada;
  const std::optional<int> advised = llada ? std::nullopt : config.generation.max_new_tokens;
  const int length = a.gen_length.value_or(advised.value_or(kDefaultLength));
  Request request = append_masks(std::move(prompt), length, config.mask_id);
  set_common(a, files, request);
  request.block_length = a.block_length.value_or(llada ? std::min(length, kLladaBlock) : length);
  request.steps = a.steps.value_or(length);
  request.early_stop = a.early_stop;
  check_request(request, config);
  return request;
}

Request build_fill_request(const RequestOptions& a, const ModelFiles& files,
                           std::span<const FillPart> parts) {
  Request request;
  set_common(a, files, request);
  request.sampler.suppress_eos = true;
  int masks = 0;
  for (const FillPart& part : parts) {
    const std::vector<TokenId> text = files.tokenizer().encode(part.text);
    request.tokens.insert(request.tokens.end(), text.begin(), text.end());
    if (masks == 0) request.prompt_length = static_cast<int>(request.tokens.size());
    request.tokens.insert(request.tokens.end(), static_cast<size_t>(part.masks),
                          files.config().mask_id);
    masks += part.masks;
  }
  request.block_length = request.gen_length();
  request.steps = a.steps.value_or(masks);
  check_request(request, files.config());
  return request;
}

}  // namespace unmask
