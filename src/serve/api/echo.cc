#include "serve/api/echo.h"

#include <chrono>

#include "core/error.h"
#include "generate/probe.h"
#include "serve/api/logprobs.h"
#include "serve/schedule/scheduler.h"

namespace unmask {

namespace {

constexpr size_t kMostTokens = 512;

/// What the engine's thread fills and the server's thread reads when it is done.
struct Chain {
  EchoQuestion question;
  TokenId mask_id;
  int max_rows;
  size_t prompt = 0;  // where it stands
  size_t token = 1;
  std::vector<std::vector<AnswerToken>> judged{};  // by prompt
  int64_t rows = 0;
  int passes = 0;

  bool step(Transformer& model);
};

/// As many canvases as a piece's rows allow, one at least.
bool Chain::step(Transformer& model) {
  std::vector<ProbeCanvas> canvases;
  std::vector<size_t> owners;
  int taken = 0;
  while (prompt < question.prompts.size()) {
    const std::vector<TokenId>& tokens = question.prompts[prompt];
    if (token >= tokens.size()) {
      ++prompt;
      token = 1;
      continue;
    }
    const auto length = static_cast<int>(token) + 1;
    if (taken > 0 && taken + length > max_rows) break;
    taken += length;
    ProbeCanvas canvas{.tokens = {tokens.begin(), tokens.begin() + length},
                       .points = {{length - 1, {tokens[token]}}}};
    canvas.tokens.back() = mask_id;
    canvases.push_back(std::move(canvas));
    owners.push_back(prompt);
    ++token;
  }
  const auto found = Probe(model).alternatives(canvases, question.alternatives);
  for (size_t i = 0; i < found.size(); ++i) {
    judged[owners[i]].push_back({canvases[i].points[0].tokens[0], found[i]});
  }
  rows += taken;
  passes += static_cast<int>(!canvases.empty());
  return prompt < question.prompts.size();
}

class EchoPlan final : public Plan {
 public:
  explicit EchoPlan(EchoQuestion question) : question_(std::move(question)) {}

  void begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) override {
    auto chain = std::make_shared<Chain>(
        Chain{std::move(question_), desk.context.files.config().mask_id, desk.context.max_rows});
    for (const std::vector<TokenId>& prompt : chain->question.prompts) {
      chain->judged.emplace_back();
      if (!prompt.empty()) chain->judged.back().push_back({prompt[0]});
    }
    const WorkId work = desk.submit(Errand{
        [chain](Transformer& model) { return chain->step(model); },
        [chain, exchange, &desk] { exchange->reply(json_reply(reply(*chain, *exchange, desk))); },
        [exchange](const ApiError& error) { exchange->reply(error_reply(error)); }});
    exchange->on_gone([work, &desk](http::Gone) { desk.scheduler.cancel(work); });
  }

 private:
  static Json reply(const Chain& chain, const http::Exchange& exchange, const Desk& desk) {
    const Tokenizer& tokenizer = desk.context.files.tokenizer();
    Json choices = Json::array();
    int tokens = 0;
    for (size_t i = 0; i < chain.judged.size(); ++i) {
      int offset = 0;
      tokens += static_cast<int>(chain.judged[i].size());
      choices.push_back({{"index", i},
                         {"text", tokenizer.decode(chain.question.prompts[i])},
                         {"logprobs", completion_logprobs(tokenizer, chain.judged[i], offset)},
                         {"finish_reason", "length"}});
    }
    return {{"id", "cmpl-" + exchange.id()},
            {"object", "text_completion"},
            {"created", std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())},
            {"model", desk.context.model},
            {"system_fingerprint", desk.context.fingerprint},
            {"choices", std::move(choices)},
            {"usage", usage(tokens, 0)},
            {"diffusion",
             {{"likelihood", "chain"}, {"forward_passes", chain.passes}, {"rows", chain.rows}}}};
  }

  EchoQuestion question_;
};

}  // namespace

std::unique_ptr<Plan> plan_echo(EchoQuestion question) {
  size_t tokens = 0;
  for (const auto& prompt : question.prompts) tokens += prompt.size();
  if (tokens > kMostTokens) {
    throw invalid_value("prompt",
                        fmt::format("[request] echo with logprobs takes a pass a token: found {} "
                                    "tokens, expected at most {}; /v1/score estimates longer ones",
                                    tokens, kMostTokens));
  }
  return std::make_unique<EchoPlan>(std::move(question));
}

}  // namespace unmask
