#include "serve/api/score.h"

#include "core/error.h"
#include "eval/likelihood.h"
#include "serve/api/errand_reply.h"
#include "serve/api/prompts.h"
#include "serve/fields.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr size_t kMostContinuations = 64;
constexpr int kSamples = 128;

/// One continuation on its way.
struct Continuation {
  int tokens = 0;
  LikelihoodEstimate estimate;
};

class ScorePasses final : public Passes {
 public:
  bool by_token = false;
  int input_tokens = 0;

  void add(const std::vector<TokenId>& context, const std::vector<TokenId>& answer,
           const LikelihoodOptions& options) {
    std::vector<TokenId> tokens = context;
    tokens.insert(tokens.end(), answer.begin(), answer.end());
    const Range range{static_cast<int>(context.size()), static_cast<int>(tokens.size())};
    input_tokens += range.end;
    all_.push_back({range.size(), LikelihoodEstimate(std::move(tokens), range, options)});
  }

  bool step(Transformer& model, int max_rows) override {
    ++passes_;
    if (!all_[next_].estimate.step(model, max_rows)) ++next_;
    return next_ < all_.size();
  }

  Json reply(const ApiContext& context, double seconds) const override {
    Json results = Json::array();
    int64_t rows = 0;
    for (const Continuation& c : all_) {
      const Likelihood found = c.estimate.result();
      const double by = by_token ? c.tokens : 1;
      results.push_back({{"log_likelihood", found.log_likelihood / by},
                         {"standard_error", found.standard_error / by},
                         {"tokens", c.tokens},
                         {"samples", found.samples},
                         {"exact", c.tokens == 1}});
      rows += int64_t{c.estimate.total()} * c.estimate.length();
    }
    const Json diffusion{{"forward_passes", passes_}, {"rows", rows}, {"seconds", seconds}};
    return {{"object", "score"},
            {"model", context.model},
            {"results", std::move(results)},
            {"usage", usage(input_tokens, 0)},
            {"diffusion", diffusion}};
  }

 private:
  std::vector<Continuation> all_;
  size_t next_ = 0;
  int passes_ = 0;
};

/// A text or token ids at `path`; not empty.
std::vector<TokenId> read_continuation(const json& value, const std::string& path,
                                       const ApiContext& context) {
  std::vector<TokenId> tokens;
  if (value.is_string()) {
    PromptText text;
    text.quote(value.get_ref<const std::string&>());
    tokens = context.files.tokenizer().encode(text);
  } else if (value.is_array()) {
    tokens = read_tokens(value, path, context.files.config().vocab_size);
  } else {
    throw invalid_value(path, fmt::format("[request] {}: found {}, expected a text or token ids",
                                          path, shown(value)));
  }
  if (tokens.empty()) {
    throw invalid_value(path, fmt::format("[request] {}: found nothing, expected at least one "
                                          "token",
                                          path));
  }
  return tokens;
}

std::vector<std::vector<TokenId>> read_continuations(Fields& body, const ApiContext& context) {
  const json* value = body.find("continuation");
  if (value == nullptr) body.refuse("continuation", "found nothing, expected a text or token ids");
  const bool several = value->is_array() && !value->empty() && !value->front().is_number();
  if (!several) return {read_continuation(*value, "continuation", context)};
  std::vector<std::vector<TokenId>> all;
  for (const json* element : body.array("continuation", 1, kMostContinuations)) {
    all.push_back(read_continuation(*element, element_path("continuation", all.size()), context));
  }
  return all;
}

std::vector<TokenId> read_context(Fields& body, const ApiContext& context) {
  const json* value = body.find("context");
  if (value == nullptr) body.refuse("context", "found nothing, expected a text or token ids");
  if (value->is_string()) {
    return context.files.tokenizer().encode_beginning(value->get_ref<const std::string&>());
  }
  if (!value->is_array()) {
    body.refuse("context", fmt::format("found {}, expected a text or token ids", shown(*value)));
  }
  return read_tokens(*value, "context", context.files.config().vocab_size);
}

}  // namespace

Prepared prepare_score(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  check_model(body, context);
  const std::vector<TokenId> before = read_context(body, context);
  LikelihoodOptions options;
  options.samples = body.count("samples", 16, 1024).value_or(kSamples);
  options.seed =
      static_cast<uint64_t>(body.whole("seed", 0, std::numeric_limits<int64_t>::max()).value_or(0));
  auto passes = std::make_unique<ScorePasses>();
  passes->by_token = body.choice("normalise", {"none", "token"}) == "token";
  for (const std::vector<TokenId>& answer : read_continuations(body, context)) {
    check_canvas(before.size() + answer.size(), "context", context);
    passes->add(before, answer, options);
  }
  return {.plan = std::make_unique<ErrandPlan>(std::move(passes))};
}

}  // namespace unmask
