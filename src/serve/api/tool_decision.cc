#include "serve/api/tool_decision.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "serve/schedule/scheduler.h"

namespace unmask {

namespace {

constexpr size_t kMostDescription = 200;  // bytes of a tool's, in the question

/// A conversation as a text to be asked about.
std::string transcript(std::span<const ChatMessage> messages) {
  std::string text;
  for (const ChatMessage& message : messages) {
    text += fmt::format("{}: {}\n", message.role, message.content);
    for (const ToolCall& call : message.tool_calls) {
      text += fmt::format("{}: call of {} with {}\n", message.role, call.name, call.arguments);
    }
  }
  return text;
}

/// Asks on the engine's thread and begins the plan that follows on the server's.
class Deciding : public std::enable_shared_from_this<Deciding> {
 public:
  Deciding(ToolQuestion question, ToolBranches branches, std::shared_ptr<http::Exchange> exchange,
           const Desk& desk)
      : question_(std::move(question)),
        branches_(std::move(branches)),
        exchange_(std::move(exchange)),
        desk_(desk) {}

  void begin() {
    const auto self = shared_from_this();
    const WorkId work =
        desk_.submit(Errand{.piece = [self](Transformer& model) { return self->ask(model); },
                            .done = [self] { self->go_on(); },
                            .failed = [self](const ApiError& error) { self->refuse(error); }});
    exchange_->on_gone([self, work](http::Gone) {
      self->desk_.scheduler.cancel(work);
      self->exchange_.reset();
    });
  }

 private:
  bool ask(Transformer& model) {
    if (question_.deliberation.step(model, desk_.context.max_rows)) return true;
    decision_ = decide_tool(question_.tools, question_.deliberation.verdicts().front());
    if (decision_.option == 0) return false;
    const Constraint constraint = branches_.constraint(decision_.option - 1);
    for (Request& request : branches_.call->requests) request.constraint = constraint;
    return false;
  }

  void go_on() {
    if (!exchange_) return;
    auto exchange = std::exchange(exchange_, nullptr);
    GenerationPlan& plan = decision_.option == 0 ? *branches_.text : *branches_.call;
    plan.fields.tool_decision = decision_.report;
    try {
      plan.begin(exchange, desk_);
    } catch (const ApiError& error) {
      exchange->reply(error_reply(error));
    }
  }

  void refuse(const ApiError& error) {
    if (!exchange_) return;
    std::exchange(exchange_, nullptr)->reply(error_reply(error));
  }

  ToolQuestion question_;
  ToolBranches branches_;
  std::shared_ptr<http::Exchange> exchange_;
  const Desk& desk_;
  ToolDecision decision_;
};

struct DecisionPlan final : Plan {
  DecisionPlan(ToolQuestion asked, ToolBranches ways)
      : question(std::move(asked)), branches(std::move(ways)) {}
  void begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) override {
    std::make_shared<Deciding>(std::move(question), std::move(branches), std::move(exchange), desk)
        ->begin();
  }

  ToolQuestion question;
  ToolBranches branches;
};

}  // namespace

ToolQuestion ask_for_tool(const ApiContext& context, std::span<const ChatMessage> messages,
                          std::span<const Tool> tools) {
  if (!context.decisions.decider) throw invalid_value("tool_choice", context.decisions.obstacle);
  Question question{QuestionType::choice, "What should the assistant do next?", {}};
  question.options.push_back({"answer in text"});
  ToolQuestion asked;
  for (const Tool& tool : tools) {
    const auto about = std::string_view(tool.description).substr(0, kMostDescription);
    question.options.push_back({"call " + tool.name, sanitize_utf8(about)});
    asked.tools.push_back(tool.name);
  }
  try {
    asked.deliberation = context.decisions.decider->ask(transcript(messages), {&question, 1},
                                                        {.context = context.defaults.context});
  } catch (const Error& error) {
    throw invalid_value("tools", error.what());
  }
  return asked;
}

ToolDecision decide_tool(std::span<const std::string> tools, const Verdict& verdict) {
  const std::vector<double> shares = probabilities(verdict, /*temperature=*/1);
  const auto best = std::max_element(shares.begin(), shares.end());
  ToolDecision decision{static_cast<size_t>(best - shares.begin())};
  const auto name = [&](size_t option) { return option == 0 ? Json() : Json(tools[option - 1]); };
  Json options = Json::array();
  for (size_t i = 0; i < shares.size(); ++i) {
    options.push_back({{"tool", name(i)}, {"probability", shares[i]}});
  }
  decision.report = std::make_shared<const Json>(Json{{"tool", name(decision.option)},
                                                      {"options", std::move(options)},
                                                      {"label_mass", verdict.label_mass}});
  return decision;
}

std::unique_ptr<Plan> plan_tool_decision(ToolQuestion question, ToolBranches branches) {
  return std::make_unique<DecisionPlan>(std::move(question), std::move(branches));
}

}  // namespace unmask
