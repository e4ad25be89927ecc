// The lines that `unmask batch` answers.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/terminal/console.h"
#include "io/text/chat_template.h"

namespace unmask {

/// One line: a prompt or a conversation, and everything to be handed back with its answer.
struct BatchEntry {
  std::string prompt;
  std::vector<ChatMessage> messages;
  std::string record;                                   // the line itself
  std::string where;                                    // it stands, for messages
  std::optional<nlohmann::ordered_json> json_schema{};  // what the answer must satisfy
  bool json_object = false;                             // it must be one
};

/// A line that is not blank, and where it stands.
struct BatchLine {
  std::string text;
  std::string where;
  int number = 0;  // of those that are not blank, from 1
};

/// The lines of a file, of what can be read like one (a pipe), or of standard input ("-"). Throws
/// Error when there are none.
std::vector<BatchLine> read_batch_lines(const std::string& file, Console& console);

/// Throws Error unless the line has a prompt or messages, and for a form of the answer (members
/// json_schema, json_object) that cannot be read.
BatchEntry parse_batch_entry(const BatchLine& line);

/// The members of `record` as they were written, without those that `answer` has, before those of
/// `answer`; on one line with its line break.
std::string answered_line(std::string_view record, const nlohmann::ordered_json& answer);

}  // namespace unmask
