#include "methods/registry.h"

#include <functional>
#include <map>

#include "methods/full.h"

namespace unmask {

namespace {

using Options = std::map<std::string, std::string, std::less<>>;
using Factory = std::unique_ptr<Method> (*)(Options& options);

const std::map<std::string, Factory, std::less<>>& factories() {
  static const std::map<std::string, Factory, std::less<>> list{
      {"full", [](Options&) -> std::unique_ptr<Method> { return std::make_unique<Full>(); }},
  };
  return list;
}

/// "a=1,b=2" as a map. Throws Error for a part without '='.
Options parse_options(std::string_view text) {
  Options options;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      fail("[method] option '{}': expected name=value", printable(part));
    }
    options.emplace(part.substr(0, equals), part.substr(equals + 1));
  }
  return options;
}

}  // namespace

std::unique_ptr<Method> create_method(std::string_view spec) {
  const std::string_view name = spec.substr(0, spec.find(':'));
  const auto found = factories().find(name);
  if (found == factories().end()) {
    fail("[method] unknown method '{}'; there is {}", printable(name),
         fmt::join(method_names(), ", "));
  }
  Options options =
      name.size() < spec.size() ? parse_options(spec.substr(name.size() + 1)) : Options{};
  auto method = found->second(options);  // takes the options it knows
  if (!options.empty()) {
    fail("[method] '{}' has no option '{}'", name, printable(options.begin()->first));
  }
  return method;
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories()) names.push_back(name);
  return names;
}

}  // namespace unmask
