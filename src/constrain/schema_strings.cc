#include "constrain/schema_strings.h"

#include <fmt/format.h>
#include <utility>
#include <vector>

#include "constrain/automaton.h"
#include "constrain/json_values.h"
#include "constrain/regex.h"

namespace unmask {

namespace {

constexpr int kMostLength = 64;

// deviation: parts of what RFC 3339 and RFC 5321 allow. February has 28 days, seconds end at 59,
// and addresses are those of everyday mail.
constexpr std::string_view kDate =
    R"((?:\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|)"
    R"((?:0[13578]|1[02])-31)))";
constexpr std::string_view kTime =
    R"((?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)))";
constexpr std::string_view kHex4 = "[0-9a-f]{4}";
constexpr std::string_view kEmail =
    R"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24})";

/// The pattern of a format; empty for unknown ones.
std::string format_pattern(std::string_view name) {
  if (name == "date") return fmt::format("^{}$", kDate);
  if (name == "time") return fmt::format("^{}$", kTime);
  if (name == "date-time") return fmt::format("^{}T{}$", kDate, kTime);
  if (name == "uuid") return fmt::format("^{0}{0}-{0}-{0}-{0}-{0}{0}{0}$", kHex4);
  if (name == "email") return fmt::format("^{}$", kEmail);
  return "";
}

}  // namespace

Expression schema_string(Expressions& e, const SchemaNode& node) {
  const int least = node.count("minLength", kMostLength).value_or(0);
  const std::optional<int> most = node.count("maxLength", kMostLength);
  if (most && *most < least) node.at("maxLength").refuse("less than minLength", "no less");
  std::vector<std::pair<std::string, Expression>> all;  // with the place that asks for it
  const auto quoted = [&](Expression inside) {
    return e.sequence({e.literal("\""), inside, e.literal("\"")});
  };
  if (const auto pattern = node.text("pattern")) {
    const std::string where = node.at("pattern").where();
    all.emplace_back(where, quoted(pattern_expression(e, *pattern, where)));
  }
  if (const auto format = node.text("format")) {
    const std::string pattern = format_pattern(*format);
    if (pattern.empty()) {
      node.at("format").refuse(fmt::format("'{}'", printable(*format)),
                               "date, time, date-time, uuid or email");
    }
    const std::string where = node.at("format").where();
    all.emplace_back(where, quoted(pattern_expression(e, pattern, where)));
  }
  if (all.empty() || least > 0 || most)
    all.emplace_back(node.where(), string_value(e, least, most));
  if (all.size() == 1) return all[0].second;
  Automaton both = Automaton::compile(e, all[0].second, all[0].first);
  for (size_t i = 1; i < all.size(); ++i) {
    const auto& [where, expression] = all[i];
    both = Automaton::intersection(both, Automaton::compile(e, expression, where), where);
  }
  return e.embed(both.nfa());
}

}  // namespace unmask
