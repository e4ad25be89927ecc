#include "session/request_builder.h"

#include <algorithm>

#include "core/error.h"
#include "methods/registry.h"
#include "session/generation_rules.h"

namespace unmask {

namespace {

constexpr int kDefaultLength = 128;

// Of a canvas that may grow. Two blocks of the presets, as in DAEDAL (arXiv 2508.00819): the one
// that is denoised, and one that tells how the text goes on.
constexpr int kFirstLength = 64;
constexpr double kEndInSight = 0.5;  // from there on, in the same paper, a canvas is long enough

/// Whether decisions may wait for a probability, as far as the user's own choices go.
bool takes_threshold(const RequestOptions& o) {
  const bool counted =
      o.steps || o.tokens_per_step || o.drafts || o.factor || o.alg_temp.value_or(0) > 0;
  if (counted) return false;
  if (!o.algorithm) return true;
  const Algorithm algorithm = parse_algorithm(*o.algorithm);
  return algorithm == Algorithm::low_confidence || algorithm == Algorithm::maskgit_plus;
}

/// Throws Error where blocks would cross the borders of the model's own.
void check_block(const RequestOptions& a, const ModelConfig& config) {
  const int own = config.visibility.block;
  if (own == 0 || !a.block_length || *a.block_length < 1 || own % *a.block_length == 0) return;
  fail(
      "[request] block length: found {}, expected a number that divides {}, the block that the "
      "model was trained with",
      *a.block_length, own);
}

/// Fills in what is open and the preset sets, or the family's custom. What a user asks for that
/// excludes a threshold (steps, a factor, a ranking without probabilities) takes the preset's one
/// away.
RequestOptions with_preset(RequestOptions options, const ModelConfig& config) {
  const PresetSettings& preset = settings_of(options.preset);
  const GenerationRules rules = rules_of(config);
  const std::optional<double> threshold = rules.threshold ? rules.threshold : preset.threshold;
  if (!options.threshold && takes_threshold(options)) options.threshold = threshold;
  const bool blocks = config.visibility.is_block_causal();
  // The blocks of such a model never change again, so its cache costs nothing.
  if (!options.method) options.method = blocks ? "block-cache" : preset.method;
  if (!options.block_length && !blocks) options.block_length = preset.block_length;
  if (!options.block_length && rules.block_length > 0) options.block_length = rules.block_length;
  if (!options.steps && !options.tokens_per_step && !options.threshold && !options.factor) {
    options.steps = rules.steps;
  }
  check_block(options, config);
  return options;
}

/// The algorithm by the user's word, the model's recommendation, or the family's custom.
Algorithm choose_algorithm(const RequestOptions& a, const ModelConfig& config) {
  if (a.algorithm) return parse_algorithm(*a.algorithm);
  const GenerationRules rules = rules_of(config);
  if (!rules.advised && rules.algorithm != Algorithm::entropy) return rules.algorithm;
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
  GenerationDefaults advice = is_llada_algorithm(options.algorithm) ? none : config.generation;
  if (a.constraint) {  // filters could take away what must come
    advice.top_p.reset();
    advice.top_k.reset();
  }
  const GenerationRules rules = rules_of(config);
  options.counts = rules.counts;
  options.above = options.threshold && rules.above;
  options.least = options.threshold && rules.least;
  options.remask = rules.remask && !options.dynamic() && !a.algorithm;
  options.top_k_first = rules.top_k_first;
  if (a.leap || a.leap_radius) {
    if (!a.leap)
      fail(ErrorCode::sampler, "[sampler] leap_radius: found without leap, expected both");
    options.leap = Leap{.threshold = *a.leap, .radius = a.leap_radius.value_or(Leap().radius)};
  }
  if (a.credit) options.credit.emplace();
  options.drafts = a.drafts;
  if (a.edit) options.editing = Editing{.threshold = *a.edit};
  const bool ranks = options.algorithm != Algorithm::origin && !options.dynamic();
  options.temperature = a.temperature.value_or(
      advice.temperature.value_or(options.dynamic() ? 0 : rules.temperature.value_or(0)));
  options.top_p = a.top_p ? a.top_p : std::optional<double>(advice.top_p);
  options.top_k = a.top_k ? a.top_k : advice.top_k;
  options.alg_temp = a.alg_temp.value_or(ranks ? advice.alg_temp.value_or(0) : 0);
  options.eps = a.eps.value_or(advice.eps.value_or(options.eps));
  options.suppress_eos = a.suppress_eos;
  options.defer_eos = a.defer_eos;
  options.attach_eos = a.attach_eos;
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

/// Says in a sentence in what a request differs from what was asked for.
class Adjustments {
 public:
  explicit Adjustments(std::vector<std::string>* said) : said_(said) {}
  template <typename... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    if (said_ != nullptr) said_->push_back(fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::vector<std::string>* said_;
};

/// The steps that are asked for, or as many as the method needs for a block.
int enough_steps(const RequestOptions& a, int tokens, int fewest, Adjustments adjustments) {
  const int steps = count_steps(a, tokens);
  if (steps >= fewest) return steps;
  adjustments.say("{} steps instead of {}: the first of a block decides one token with method {}",
                  fewest, steps, printable(*a.method));
  return fewest;
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

/// How long the canvas is at first, and how long it may become.
Lengths choose_canvas(const RequestOptions& a, const ModelConfig& config, Adjustments adjustments) {
  const bool llada = rules_of(config).algorithm == Algorithm::low_confidence;
  const std::optional<int> advised = llada ? std::nullopt : config.generation.max_new_tokens;
  // Beyond the positions of the model a recommendation means nothing, and would cost memory.
  const int usual =
      std::min(advised.value_or(kDefaultLength), std::max(config.max_positions, kDefaultLength));
  const int most = a.max_tokens.value_or(a.gen_length.value_or(usual));
  const int first = a.max_tokens ? std::max(kFirstLength, 2 * a.block_length.value_or(0)) : usual;
  const int own = a.gen_length.value_or(std::min(first, most));
  if (own < 1 || most < own) {
    fail("[request] length: found {}, expected 1 to {}, the most tokens", own, most);
  }
  if (most == own) return {.own = own};
  if (a.constraint) {
    // It spends the room that it knows of, so a canvas that grows would never have to.
    if (a.gen_length) {
      adjustments.say(
          "the canvas has all {} tokens from the beginning: with a schema it cannot grow", most);
    }
    return {.own = most};
  }
  return {.own = own, .most = most};
}

Lengths choose_lengths(const RequestOptions& a, const ModelConfig& config,
                       Adjustments adjustments) {
  const auto method = create_method(*a.method, {config, a.seed});
  Lengths lengths = choose_canvas(a, config, adjustments);
  const int wanted = std::min(a.block_length.value_or(lengths.own), lengths.own);
  const int fewest = lengths.own == 1 ? 1 : method->fewest_steps();
  lengths.steps = enough_steps(a, lengths.own, fewest, adjustments);
  lengths.block = wanted;
  while (lengths.block > 0 && !lengths.has_steps(fewest)) {
    lengths.block = divide_up(lengths.own, lengths.blocks() - 1);
  }
  if (lengths.block != wanted) {
    adjustments.say("blocks have {} tokens instead of {}, to keep to the number of steps ({})",
                    lengths.block, wanted, lengths.steps);
  }
  return lengths;
}

/// Throws Error for what nobody can have together with a constraint.
void check_constrained(const RequestOptions& a) {
  if (!a.constraint || a.early_stop) return;
  fail(
      "[request] early stop: found it off with a schema, expected it on: behind the text of a "
      "schema there is nothing");
}

/// Lays the blocks of a request onto those of a model that counts them from position 0: the first
/// one may begin in the prompt, and the last one is whole.
void lay_on_grid(const Lengths& lengths, const ModelConfig& config, bool rounds, Request& request) {
  const Visibility& visibility = config.visibility;
  if (!visibility.is_block_causal() || visibility.from_prompt) return;
  const int prompt = request.prompt_length;
  const auto whole = [&](int length) {
    return rounds ? divide_up(prompt + length, visibility.block) * visibility.block - prompt
                  : length;
  };
  request.answer_length = std::max(lengths.own, lengths.most);
  const int end = prompt + whole(lengths.own);
  request.tokens.resize(static_cast<size_t>(end), config.mask_id);
  if (lengths.most > 0) request.most_length = whole(lengths.most);
  request.first_block = std::min(lengths.block - prompt % lengths.block, request.gen_length());
}

/// Steps of each block, where the family's counts say how many tokens a block's steps decide.
void spread_steps(const RequestOptions& a, const Lengths& lengths, Request& request) {
  if (!request.sampler.counts) return;
  const bool all = !a.steps && !a.tokens_per_step;
  request.steps_per_block =
      all ? lengths.block : std::max(1, divide_up(lengths.steps, lengths.blocks()));
}

void set_common(const RequestOptions& a, const ModelFiles& files, Request& request) {
  request.sampler = sampler_options(a, files.config());
  request.cfg_scale = a.cfg_scale;
  request.method = *a.method;
  request.eos_ids = files.stop_ids();
  request.constraint = a.constraint;
}

/// Holes that may get `more` tokens than they have masks.
void let_holes_grow(int more, const ModelFiles& files, Request& request) {
  const std::optional<TokenId> expand = files.tokenizer().added_token("<|expand|>");
  if (!expand) {
    fail(
        "[fill] grow: found a model without the token <|expand|>, expected DreamOn, whose holes "
        "find their length");
  }
  if (more < 0) fail("[fill] grow: found {}, expected at least 0", more);
  const TokenId end = files.config().eos_id;
  request.growth = HoleGrowth{.expand_id = *expand,
                              .delete_id = end,
                              .expansions = more,
                              .most_tokens = static_cast<int>(request.tokens.size()) + more,
                              .end_id = end};
  request.sampler.suppress_eos = false;
  request.sampler.counts = Counts::fixed;
}

}  // namespace

ChatTemplate choose_chat_template(const ModelFiles& files, const std::optional<std::string>& name) {
  ChatTemplate format = name ? ChatTemplate::built_in(*name) : files.chat_template();
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
  const ChatTemplate format = choose_chat_template(files, options.format);
  return files.tokenizer().encode(
      format.render(messages, {.tools = options.tools, .variables = options.variables}));
}

std::vector<TokenId> encode_question(const ModelFiles& files, const PromptOptions& options,
                                     const std::string& question) {
  if (question.empty()) fail("[prompt] found an empty text, expected at least one character");
  return encode_messages(files, options, {{"user", question}});
}

std::vector<TokenId> encode_answer(const ModelFiles& files, const PromptOptions& options,
                                   const std::string& answer) {
  if (options.raw) return files.tokenizer().encode(answer);
  PromptText text;
  text.quote(answer);
  return files.tokenizer().encode(text);
}

Request build_request(const RequestOptions& asked, const ModelFiles& files,
                      std::vector<TokenId> prompt, std::vector<std::string>* adjusted) {
  const ModelConfig& config = files.config();
  if (asked.grow) fail("[request] grow: found a request without holes, expected a text with some");
  const RequestOptions a = with_preset(asked, config);
  check_constrained(a);
  Adjustments adjustments(adjusted);
  const Lengths lengths = choose_lengths(a, config, adjustments);
  if (asked.block_length && *asked.block_length > lengths.own) {
    adjustments.say("blocks have {} tokens instead of {}: there are no more to generate",
                    lengths.own, *asked.block_length);
  }
  Request request = append_masks(std::move(prompt), lengths.own, config.mask_id);
  set_common(a, files, request);
  request.block_length = lengths.block;
  request.steps = lengths.steps;
  request.most_length = lengths.most;
  if (lengths.most > 0) request.end_in_sight = kEndInSight;
  spread_steps(a, lengths, request);
  lay_on_grid(lengths, config, !a.constraint, request);
  request.early_stop = a.early_stop;
  check_request(request, config);
  return request;
}

Request build_fill_request(const RequestOptions& asked, const ModelFiles& files,
                           std::span<const FillPart> parts, std::vector<TokenId> prompt,
                           std::vector<std::string>* adjusted) {
  if (asked.constraint) fail("[fill] a schema: found one, expected none where text is given");
  RequestOptions a = with_preset(asked, files.config());
  if (a.grow) {  // a token a pass, as DreamOn was trained
    a.threshold = asked.threshold;
    if (!asked.method) a.method = "full";
  }
  const Tokenizer& tokenizer = files.tokenizer();
  const bool answers = !prompt.empty();  // then the text is part of a conversation
  Request request;
  request.tokens = std::move(prompt);
  set_common(a, files, request);
  request.sampler.suppress_eos = true;
  int masks = 0;
  for (const FillPart& part : parts) {
    PromptText quoted;
    quoted.quote(part.text);
    const std::vector<TokenId> text = answers ? tokenizer.encode(quoted)
                                      : request.tokens.empty()
                                          ? tokenizer.encode_beginning(part.text)
                                          : tokenizer.encode(part.text);
    request.tokens.insert(request.tokens.end(), text.begin(), text.end());
    if (masks == 0) request.prompt_length = static_cast<int>(request.tokens.size());
    request.tokens.insert(request.tokens.end(), static_cast<size_t>(part.masks),
                          files.config().mask_id);
    masks += part.masks;
  }
  const std::vector<TokenId>& after = tokenizer.after_prompt();
  request.tokens.insert(request.tokens.end(), after.begin(), after.end());
  request.block_length = request.gen_length();
  const auto method = create_method(request.method, {files.config(), a.seed});
  request.steps =
      enough_steps(a, masks, masks == 1 ? 1 : method->fewest_steps(), Adjustments(adjusted));
  if (a.grow) let_holes_grow(*a.grow, files, request);
  check_request(request, files.config());
  return request;
}

}  // namespace unmask
