#include "serve/api/completions.h"

#include "core/error.h"
#include "serve/api/echo.h"
#include "serve/api/generation_reply.h"
#include "serve/api/hole_length.h"
#include "serve/api/holes.h"
#include "serve/api/logprobs.h"
#include "serve/api/prompts.h"
#include "serve/api/response_format.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr int kDefaultTokens = 16;  // OpenAI's

class CompletionWording final : public Wording {
 public:
  std::string object(bool /*streamed*/) const override { return "text_completion"; }
  std::string id_prefix() const override { return "cmpl-"; }
  Json choice(int index, const FinishedChoice& finished) const override {
    return element(index, finished.text, finished.reason);
  }
  Json opening(int /*index*/) const override { return {}; }
  Json piece(int index, const std::string& text) const override {
    return element(index, text, nullptr);
  }
  Json closing(int index, const FinishedChoice& finished) const override {
    return element(index, "", finished.reason);
  }

 private:
  static Json element(int index, const std::string& text, const Json& reason) {
    return {{"index", index}, {"text", text}, {"logprobs", nullptr}, {"finish_reason", reason}};
  }
};

/// What a completion asks for beside the prompt.
struct Extras {
  int max_tokens = kDefaultTokens;
  std::optional<std::string> suffix{};
  std::optional<int> logprobs{};
  std::optional<int> hole{};  // masks before the suffix; none: searched for
  bool echo = false;
  bool holes = false;

  /// Only the prompts are to be judged.
  bool judges() const { return echo && logprobs && max_tokens <= 1; }
};

Extras read_extras(Fields& body) {
  Extras extras;
  extras.max_tokens = body.count("max_tokens", 0).value_or(kDefaultTokens);
  extras.logprobs = read_completion_logprobs(body);
  extras.suffix = body.text("suffix");
  if (extras.suffix && extras.suffix->empty()) extras.suffix.reset();
  extras.echo = body.flag("echo").value_or(false);
  if (extras.max_tokens == 0 && !extras.judges()) {
    body.refuse("max_tokens", "found 0, expected at least 1 without echo and logprobs");
  }
  return extras;
}

/// A text in front of what a model writes, as it is.
std::vector<TokenId> encode(const CompletionPrompt& prompt, const ApiContext& context) {
  if (const auto* tokens = std::get_if<std::vector<TokenId>>(&prompt)) return *tokens;
  return context.files.tokenizer().encode_beginning(std::get<std::string>(prompt));
}

class Completion {
 public:
  Completion(const std::string& text, Fields& body, GenerationPlan& plan, const ApiContext& context)
      : body_(body), plan_(plan), context_(context) {
    extras_ = read_extras(body);
    if (extras_.logprobs) plan.logprobs = LogprobForm::completion;
    std::optional<AnswerForm> form;
    plan.fields = read_generation(body, context.defaults, [&](Fields& diffusion) {
      extras_.holes = diffusion.flag("holes").value_or(false);
      extras_.hole = read_infill_length(diffusion);
      form = read_json_schema(diffusion, text, *context.constraints);
    });
    if (form) obey(*form);
    const auto best_of = body.count("best_of", 1, context.defaults.max_choices);
    if (best_of && *best_of != plan.fields.choices) {
      body.refuse("best_of", "expected the same as n: this server ranks no choices",
                  "unsupported_parameter");
    }
  }

  bool judges() const { return extras_.judges(); }
  /// Lengths of the hole that come into question; none where there is nothing to choose.
  std::vector<int> lengths() {
    const size_t prompts = read_prompts(body_, context_.files.config().vocab_size).size();
    const bool searches = extras_.suffix && !extras_.holes && !extras_.hole && prompts == 1;
    return searches ? hole_lengths(extras_.max_tokens) : std::vector<int>{};
  }
  EchoQuestion echo() {
    EchoQuestion question{.alternatives = *extras_.logprobs};
    for (const CompletionPrompt& prompt : read_prompts(body_, context_.files.config().vocab_size)) {
      question.prompts.push_back(encode(prompt, context_));
    }
    return question;
  }

  void build(std::optional<int> hole = {}) {
    if (hole) extras_.hole = hole;
    if (!extras_.hole) extras_.hole = extras_.max_tokens;
    for (const CompletionPrompt& prompt : read_prompts(body_, context_.files.config().vocab_size)) {
      add(checked([&] { return request_of(prompt); }));
    }
  }

 private:
  void obey(const AnswerForm& form) {
    if (extras_.suffix || extras_.holes) {
      body_.refuse("diffusion.json_schema", "cannot be had where there are holes to be filled",
                   "unsupported_parameter");
    }
    check_beside_schema(plan_.fields);
    plan_.fields.options.constraint = form.constraint;
  }

  Request request_of(const CompletionPrompt& prompt) {
    GenerationFields& fields = plan_.fields;
    if (extras_.suffix || extras_.holes) {
      if (!std::holds_alternative<std::string>(prompt)) {
        body_.refuse("prompt", "found token ids, expected a text where there are holes");
      }
      const auto& text = std::get<std::string>(prompt);
      parts_ = extras_.holes ? parse_holes(text)
                             : std::vector<FillPart>{{text, *extras_.hole}, {*extras_.suffix, 0}};
      return build_fill_request(fields.options, context_.files, parts_, {}, &fields.warnings);
    }
    RequestOptions options = fields.options;
    options.max_tokens = extras_.max_tokens;
    if (options.gen_length) options.gen_length = std::min(*options.gen_length, extras_.max_tokens);
    return build_request(options, context_.files, encode(prompt, context_), &fields.warnings);
  }

  void add(Request request) {
    check_context(request, context_.defaults.context);
    check_memory({&request, 1}, context_);
    FinalText::Options text{.mask_id = context_.files.config().mask_id,
                            .begin = extras_.echo || extras_.holes ? 0 : request.prompt_length,
                            .stops = plan_.fields.stops};
    if (extras_.suffix && !extras_.holes) text.end = request.prompt_length + *extras_.hole;
    for (int i = 0; i < plan_.fields.choices; ++i) {
      plan_.requests.push_back(request);
      plan_.requests.back().sampler.seed = seed_of_choice(plan_.fields.options.seed, i);
      plan_.requests.back().alternatives = extras_.logprobs;
      plan_.texts.push_back(text);
    }
  }

  Fields& body_;
  GenerationPlan& plan_;
  const ApiContext& context_;
  Extras extras_;
  std::vector<FillPart> parts_;
};

}  // namespace

Prepared prepare_completion(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  check_model(body, context);
  std::vector<std::unique_ptr<GenerationPlan>> plans;
  plans.push_back(std::make_unique<GenerationPlan>());
  Completion completion(request.body, body, *plans.front(), context);
  if (completion.judges()) {
    std::unique_ptr<Plan> plan = plan_echo(completion.echo());
    return {.plan = std::move(plan)};
  }
  const std::vector<int> lengths = completion.lengths();
  completion.build(lengths.empty() ? std::nullopt : std::optional(lengths.front()));
  for (size_t i = 1; i < lengths.size(); ++i) {
    plans.push_back(std::make_unique<GenerationPlan>());
    Completion(request.body, body, *plans.back(), context).build(lengths[i]);
  }
  for (const auto& plan : plans) plan->wording = std::make_unique<CompletionWording>();
  return {.plan = plan_search(std::move(plans))};
}

}  // namespace unmask
