// One thing to ask a model, and how its answer is judged.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/chat_template.h"

namespace unmask {

/// How an answer becomes a score from 0 to 1.
enum class Metric : uint8_t {
  none,     // no score: only fidelity can be measured
  all,      // share of the references that the answer contains, whatever the case (RULER)
  any,      // 1 when it contains one of them, whatever the case (RULER)
  exact,    // 1 when it is one of them, but for blanks around it
  regex,    // 1 when one of them, a regular expression, matches somewhere
  numeric,  // 1 when its last number is the last number of a reference (GSM8K)
  choice    // 1 when the right choice is the likeliest
};

/// Throws Error listing the names for an unknown one.
Metric parse_metric(std::string_view name);
std::string_view metric_name(Metric metric);
std::vector<std::string> metric_names();

struct Example {
  std::vector<ChatMessage> messages{};
  Metric metric = Metric::all;
  std::vector<std::string> references{};
  std::vector<std::string> choices{};  // of Metric::choice; references hold the right one
  std::optional<int> gen_length{};     // tokens for the answer; none: as the user wants
};

}  // namespace unmask
