// Whether a model should answer in text or call a function, asked of the model itself: one pass,
// see session/decisions/decide.h.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serve/api/generation_reply.h"
#include "serve/api/tools.h"
#include "session/decisions/decide.h"

namespace unmask {

/// The question, and what its options stand for.
struct ToolQuestion {
  std::vector<std::string> tools;  // of the options behind the first, which is an answer in text
  Deliberation deliberation;
};

/// About a conversation. Throws ApiError for more tools than there are letters that are tokens, and
/// where the question does not fit into `context`.
ToolQuestion ask_for_tool(const ApiContext& context, std::span<const ChatMessage> messages,
                          std::span<const Tool> tools);

/// The likeliest option, and {"tool","options":[{"tool","probability"}],"label_mass"}, where the
/// tool null stands for text.
struct ToolDecision {
  size_t option = 0;
  std::shared_ptr<const Json> report{};
};
ToolDecision decide_tool(std::span<const std::string> tools, const Verdict& verdict);

/// Both ways to go on.
struct ToolBranches {
  std::unique_ptr<GenerationPlan> text;
  std::unique_ptr<GenerationPlan> call;
  /// The constraint of a call of tool `i`. On the engine's thread.
  std::function<Constraint(size_t tool)> constraint;
};

/// Asks, then goes on as the model says.
std::unique_ptr<Plan> plan_tool_decision(ToolQuestion question, ToolBranches branches);

}  // namespace unmask
