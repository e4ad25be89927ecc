#include "io/tensor_names.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>

namespace unmask {

namespace {

bool is_wrapper(const std::string& part) {
  constexpr std::array kWrappers{"_orig_mod", "module", "base_model", "_fsdp_wrapped_module",
                                 "_checkpoint_wrapped_module"};
  return std::find(kWrappers.begin(), kWrappers.end(), part) != kWrappers.end();
}

/// What stands before `end` in `name`; none where it does not end so.
std::optional<std::string_view> prefix_before(std::string_view name, std::string_view end) {
  if (name == end) return "";
  if (name.size() <= end.size() || !name.ends_with(end)) return std::nullopt;
  name.remove_suffix(end.size());
  return name.back() == '.' ? std::optional(name) : std::nullopt;
}

}  // namespace

std::vector<std::string> split_tensor_name(std::string_view name) {
  std::vector<std::string> parts;
  while (true) {
    const size_t dot = name.find('.');
    parts.emplace_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    name.remove_prefix(dot + 1);
  }
}

std::string join_tensor_name(std::span<const std::string> parts) {
  return fmt::format("{}", fmt::join(parts, "."));
}

std::string without_wrappers(std::string_view name) {
  std::vector<std::string> kept;
  for (std::string& part : split_tensor_name(name)) {
    if (!is_wrapper(part)) kept.push_back(std::move(part));
  }
  return join_tensor_name(kept);
}

std::string_view without_model_prefix(std::string_view name) {
  constexpr std::string_view kModel = "model.";
  while (name.starts_with(kModel)) name.remove_prefix(kModel.size());
  return name;
}

std::optional<std::map<std::string, std::string>> match_tensor_names(
    std::span<const std::string> expected, std::span<const std::string_view> stored) {
  std::map<std::string, std::string> plain;  // stored name by the name without wrappers
  std::set<std::string> twice;
  for (const std::string_view name : stored) {
    const auto [it, is_new] = plain.emplace(without_wrappers(name), name);
    if (!is_new) twice.insert(it->first);
  }
  // Candidates for the beginning of all names come from the first expected tensor.
  std::set<std::string> beginnings;
  for (const auto& [name, original] : plain) {
    const auto prefix = prefix_before(name, without_model_prefix(expected.front()));
    if (prefix) beginnings.emplace(*prefix);
  }
  std::optional<std::map<std::string, std::string>> found;
  for (const std::string& beginning : beginnings) {
    // A head beside the trunk lacks the "model." that the trunk's names have.
    std::string outer = beginning;
    if (outer.ends_with("model.")) outer.resize(outer.size() - std::string_view("model.").size());
    std::map<std::string, std::string> match;
    for (const std::string& name : expected) {
      const std::string end(without_model_prefix(name));
      auto at = plain.find(beginning + end);
      if (at == plain.end() && end == name) at = plain.find(outer + end);
      if (at == plain.end() || twice.contains(at->first)) break;
      match.emplace(name, at->second);
    }
    if (match.size() != expected.size()) continue;
    if (found) return std::nullopt;
    found = std::move(match);
  }
  return found;
}

}  // namespace unmask
