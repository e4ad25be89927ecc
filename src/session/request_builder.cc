#include "session/request_builder.h"

#include <algorithm>

#include "core/error.h"
#include "methods/registry.h"

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
  if (advised == algorithm_name(Algorithm::origin)) return Algorithm::entropy;
  try {
    return parse_algorithm(advised);
  } catch (const Error& error) {
    throw Error(fmt::format("[generation] the model's generation_config.json recommends an alg of "
                            "another program: {}",
                            error.what()),
                ErrorCode::algorithm);
  }
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

int divide_up(int a, int b) { return (a + b - 1) / b; }

/// Steps for `tokens` masks.
int count_steps(const RequestOptions& a, int tokens) {
  if (a.steps && a.tokens_per_step) {
    fail("[request] steps and tokens per step say the same thing; choose one");
  }
  for (const std::optional<int> count : {a.steps, a.tokens_per_step}) {
    if (count && *count < 1) fail("[request] steps: found {}, expected at least 1", *count);
  }
  return a.steps.value_or(divide_up(tokens, a.tokens_per_step.value_or(1)));
}

struct Lengths {
  int own = 0;   // masks
  int most = 0;  // as in Request
  int block = 0;
  int steps = 0;

  int blocks() const { return divide_up(own, block); }
  /// Whether every block gets `fewest` steps: a step decides tokens of one block only.
  bool has_steps(int fewest) const {
    const int last = own - (blocks() - 1) * block;
    return int64_t{steps} * block / own >= std::min(fewest, block) &&
           steps - int64_t{steps} * (own - last) / own >= std::min(fewest, last);
  }
};

Lengths choose_lengths(const RequestOptions& a, const ModelConfig& config) {
  const bool llada = config.family == Family::llada;
  const std::optional<int> advised = llada ? std::nullopt : config.generation.max_new_tokens;
  const int usual = advised.value_or(kDefaultLength);
  const int most = a.max_tokens.value_or(a.gen_length.value_or(usual));
  Lengths lengths{.own = a.gen_length.value_or(std::min(usual, most))};
  if (lengths.own < 1 || most < lengths.own) {
    fail("[request] length: found {}, expected 1 to {}, the most tokens", lengths.own, most);
  }
  const std::optional<int> block = llada ? a.block_length.value_or(kLladaBlock) : a.block_length;
  const auto method = create_method(*a.method, {config, a.seed});
  if (block && method->allows_growth() && most > lengths.own) {
    lengths.most = most;
  } else {
    lengths.own = most;
  }
  lengths.block = std::min(block.value_or(lengths.own), lengths.own);
  const int fewest = lengths.own == 1 ? 1 : method->fewest_steps();
  lengths.steps = std::max(fewest, count_steps(a, lengths.own));
  while (lengths.block > 0 && !lengths.has_steps(fewest)) {
    lengths.block = divide_up(lengths.own, lengths.blocks() - 1);
  }
  return lengths;
}

void set_common(const RequestOptions& a, const ModelFiles& files, Request& request) {
  request.sampler = sampler_options(a, files.config());
  request.cfg_scale = a.cfg_scale;
  request.method = *a.method;
  request.eos_ids = files.stop_ids();
}

}  // namespace

ChatFormat choose_chat_format(const ModelFiles& files, const std::optional<std::string>& name) {
  const ChatFormat format = name ? parse_chat_format(*name) : files.chat_format();
  check_markers(format, files.tokenizer());
  return format;
}

std::vector<TokenId> encode_messages(const ModelFiles& files, const PromptOptions& options,
                                     std::vector<ChatMessage> messages) {
  if (options.raw) {
    if (messages.size() != 1) {
      fail("[prompt] a raw prompt is one text: found {} messages, expected 1", messages.size());
    }
    return files.tokenizer().encode_prompt(messages[0].content);
  }
  if (options.system) messages.insert(messages.begin(), {"system", *options.system});
  const ChatFormat format = choose_chat_format(files, options.format);
  return files.tokenizer().encode(render_chat(format, messages));
}

std::vector<TokenId> encode_question(const ModelFiles& files, const PromptOptions& options,
                                     const std::string& question) {
  if (question.empty()) fail("[prompt] found an empty text, expected at least one character");
  return encode_messages(files, options, {{"user", question}});
}

Request build_request(const RequestOptions& asked, const ModelFiles& files,
                      std::vector<TokenId> prompt) {
  const ModelConfig& config = files.config();
  const RequestOptions a = with_preset(asked, config);
  const Lengths lengths = choose_lengths(a, config);
  Request request = append_masks(std::move(prompt), lengths.own, config.mask_id);
  set_common(a, files, request);
  request.block_length = lengths.block;
  request.steps = lengths.steps;
  request.most_length = lengths.most;
  request.early_stop = a.early_stop;
  check_request(request, config);
  return request;
}

Request build_fill_request(const RequestOptions& asked, const ModelFiles& files,
                           std::span<const FillPart> parts, std::vector<TokenId> prompt) {
  const RequestOptions a = with_preset(asked, files.config());
  Request request;
  request.tokens = std::move(prompt);
  set_common(a, files, request);
  request.sampler.suppress_eos = true;
  int masks = 0;
  for (const FillPart& part : parts) {
    const Tokenizer& tokenizer = files.tokenizer();
    const bool first = request.tokens.empty();
    const std::vector<TokenId> text =
        first ? tokenizer.encode_beginning(part.text) : tokenizer.encode(part.text);
    request.tokens.insert(request.tokens.end(), text.begin(), text.end());
    if (masks == 0) request.prompt_length = static_cast<int>(request.tokens.size());
    request.tokens.insert(request.tokens.end(), static_cast<size_t>(part.masks),
                          files.config().mask_id);
    masks += part.masks;
  }
  const std::vector<TokenId>& after = files.tokenizer().after_prompt();
  request.tokens.insert(request.tokens.end(), after.begin(), after.end());
  request.block_length = request.gen_length();
  request.steps = count_steps(a, masks);
  check_request(request, files.config());
  return request;
}

std::vector<std::string> adjustments(const RequestOptions& asked, const Request& built) {
  std::vector<std::string> said;
  const int length = built.gen_length();
  const int wanted = std::min(asked.block_length.value_or(kLladaBlock), length);
  if (built.block_length > wanted && (asked.steps || asked.tokens_per_step)) {
    said.push_back(
        fmt::format("blocks have {} tokens instead of {}, to keep to the number of steps ({})",
                    built.block_length, wanted, built.steps));
  } else if (asked.block_length && *asked.block_length > length) {
    said.push_back(fmt::format("blocks have {} tokens instead of {}: there are no more to generate",
                               length, *asked.block_length));
  }
  if (asked.steps && built.steps > *asked.steps) {
    said.push_back(
        fmt::format("{} steps instead of {}: the first of a block decides one token "
                    "with method {}",
                    built.steps, *asked.steps, printable(built.method)));
  }
  if (asked.max_tokens && built.most_length == 0 &&
      length > asked.gen_length.value_or(kDefaultLength)) {
    said.push_back(fmt::format(
        "the canvas has all {} tokens from the beginning: with method {} it cannot grow", length,
        printable(built.method)));
  }
  return said;
}

}  // namespace unmask
