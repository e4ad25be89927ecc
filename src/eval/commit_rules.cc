#include "eval/commit_rules.h"

#include "methods/options.h"

namespace unmask {

std::pair<std::string, std::string> split_rules(std::string_view spec) {
  const size_t at = spec.find('@');
  if (at == std::string_view::npos) return {std::string(spec), ""};
  return {std::string(spec.substr(0, at)), std::string(spec.substr(at + 1))};
}

RequestOptions with_rules(RequestOptions options, std::string_view rules) {
  Options given("a rule behind @", rules);
  const auto number = [&](const char* name, std::optional<double>& value, double most) {
    const double found = given.number(name, 0, 0, most);
    if (given.given(name)) value = found;
  };
  const auto count = [&](const char* name, std::optional<int>& value) {
    const int found = given.count(name, 1, 1, kLongerThanAny);
    if (given.given(name)) value = found;
  };
  number("threshold", options.threshold, 1);
  number("leap", options.leap, 1);
  number("factor", options.factor, 1000);
  count("leap_radius", options.leap_radius);
  count("tokens_per_step", options.tokens_per_step);
  count("drafts", options.drafts);
  options.credit = given.flag("credit", options.credit);
  options.attach_eos = given.flag("attach_eos", options.attach_eos);
  given.check_all_read();
  return options;
}

}  // namespace unmask
