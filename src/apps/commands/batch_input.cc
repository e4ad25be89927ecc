#include "apps/commands/batch_input.h"

#include <algorithm>

#include "apps/options/prompt.h"
#include "core/error.h"
#include "io/json_file.h"
#include "io/json_members.h"

namespace unmask {

namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;
constexpr size_t kMostSchema = size_t{64} << 10;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool has_string(const nlohmann::json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string();
}

/// The form of the answer, with the numbers as they are and the keys in their order.
void read_form(const BatchLine& line, BatchEntry& entry) {
  for (const JsonMember& member : json_members(line.text)) {
    if (member.name != "json_schema" && member.name != "json_object") continue;
    const std::string alone = fmt::format("{{{}}}", member.text);
    auto value = parse_ordered_json(alone, line.where, {.max_bytes = kMostSchema}).front();
    if (member.name == "json_schema") {
      if (!value.is_null()) entry.json_schema = std::move(value);
    } else if (value.is_boolean()) {
      entry.json_object = value.get<bool>();
    } else {
      fail("{}: json_object: found {}, expected true or false", line.where, value.type_name());
    }
  }
  if (entry.json_object && entry.json_schema) {
    fail("{}: json_object and json_schema exclude each other", line.where);
  }
}

}  // namespace

std::vector<BatchLine> read_batch_lines(const std::string& file, Console& console) {
  const std::string content = read_whole("batch", file, kMaxBytes, console);
  std::string_view text = content;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<BatchLine> lines;
  int number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    lines.push_back({std::string(line), fmt::format("[batch] {}:{}", file, number),
                     static_cast<int>(lines.size()) + 1});
  }
  if (lines.empty()) fail("[batch] {}: no prompts in it", file);
  return lines;
}

BatchEntry parse_batch_entry(const BatchLine& line) {
  // Whether a number fits anywhere does not matter: numbers are handed back, not read.
  const nlohmann::json value = parse_json(without_numbers(line.text), line.where);
  BatchEntry entry{{}, {}, line.text, line.where};
  if (has_string(value, "prompt")) {
    entry.prompt = value["prompt"].get<std::string>();
  } else if (value.is_object() && value.contains("messages") && value["messages"].is_array()) {
    for (const nlohmann::json& m : value["messages"]) {
      if (!has_string(m, "role") || !has_string(m, "content")) {
        fail("{}: each message needs a \"role\" and a \"content\", both strings", line.where);
      }
      entry.messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
    }
  } else {
    fail("{}: expected an object with a string \"prompt\" or an array \"messages\"", line.where);
  }
  if (entry.prompt.empty() && entry.messages.empty()) fail("{}: the prompt is empty", line.where);
  read_form(line, entry);
  return entry;
}

std::string answered_line(std::string_view record, const nlohmann::ordered_json& answer) {
  std::string out = "{";
  for (const JsonMember& member : json_members(record)) {
    if (!answer.contains(member.name)) out.append(member.text).append(",");
  }
  return out + json_line(answer).substr(1);
}

}  // namespace unmask
