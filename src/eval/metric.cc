#include "eval/metric.h"

#include <algorithm>
#include <cctype>
#include <fmt/ranges.h>

#include "core/error.h"
#include "io/text/regex.h"

namespace unmask {

namespace {

struct Name {
  Metric metric;
  std::string_view name;
};
constexpr Name kNames[] = {{Metric::none, "none"},    {Metric::all, "all"},
                           {Metric::any, "any"},      {Metric::exact, "exact"},
                           {Metric::regex, "regex"},  {Metric::numeric, "numeric"},
                           {Metric::choice, "choice"}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// A number without thousands separators and trailing zeros of its fraction.
std::string normal_number(std::string_view digits) {
  std::string number;
  std::copy_if(digits.begin(), digits.end(), std::back_inserter(number),
               [](char c) { return c != ','; });
  if (number.find('.') == std::string::npos) return number;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.pop_back();
  return number;
}

std::string needed_number(std::string_view reference) {
  const auto number = last_number(reference);
  if (!number)
    fail("[eval] reference '{}': found no number, but the metric is numeric", printable(reference));
  return *number;
}

bool matches(Metric metric, const std::string& reference, std::string_view answer) {
  switch (metric) {
    case Metric::all:
    case Metric::any: return lower(answer).find(lower(reference)) != std::string::npos;
    case Metric::exact: return trimmed(answer) == trimmed(reference);
    case Metric::regex: return Regex(reference).matches(answer);
    case Metric::numeric: return last_number(answer) == needed_number(reference);
    case Metric::none:
    case Metric::choice: break;
  }
  throw LogicError("a metric that is not about the text of an answer");
}

}  // namespace

Metric parse_metric(std::string_view name) {
  for (const Name& known : kNames) {
    if (known.name == name) return known.metric;
  }
  fail("[eval] unknown metric '{}'; there is {}", printable(name), fmt::join(metric_names(), ", "));
}

std::string_view metric_name(Metric metric) {
  return std::find_if(std::begin(kNames), std::end(kNames),
                      [&](const Name& known) { return known.metric == metric; })
      ->name;
}

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const Name& known : kNames) names.emplace_back(known.name);
  return names;
}

std::optional<std::string> last_number(std::string_view text) {
  static const Regex number(R"(-?\d+(?:,\d{3})*(?:\.\d+)?)");
  const auto found = number.last_match(text);
  if (!found) return std::nullopt;
  return normal_number(*found);
}

double score_answer(const Example& example, std::string_view answer) {
  UNMASK_CHECK(!example.references.empty(), "a reference to compare with");
  const auto found = std::count_if(
      example.references.begin(), example.references.end(),
      [&](const std::string& reference) { return matches(example.metric, reference, answer); });
  if (example.metric == Metric::all) {
    return static_cast<double>(found) / static_cast<double>(example.references.size());
  }
  return found > 0 ? 1 : 0;
}

void check_references(const Example& example) {
  for (const std::string& reference : example.references) {
    if (example.metric == Metric::regex) (void)Regex(reference);
    if (example.metric == Metric::numeric) needed_number(reference);
  }
}

}  // namespace unmask
