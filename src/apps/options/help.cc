#include "apps/options/help.h"

#include <fmt/format.h>
#include <sstream>

namespace unmask {

namespace {

constexpr size_t kWidth = 80;
constexpr size_t kColumn = 26;  // where descriptions begin

/// "  NAMES   description", the description broken into lines of one column.
std::string entry(const std::string& names, const std::string& description) {
  std::string out = "  " + names;
  size_t column = out.size();
  if (column + 2 > kColumn) {
    out += '\n';
    column = 0;
  }
  const auto indent = [&] {
    out.append(kColumn - column, ' ');
    column = kColumn;
  };
  indent();
  std::istringstream words(description);
  for (std::string word; words >> word;) {
    if (column > kColumn && column + 1 + word.size() > kWidth) {
      out += '\n';
      column = 0;
      indent();
    }
    if (column > kColumn) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + '\n';
}

}  // namespace

HelpFormatter::HelpFormatter() { label("REQUIRED", "(required)"); }

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::vector<std::string> names;
  for (const auto& name : option->get_snames()) names.push_back("-" + name);
  for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  std::string left =
      is_positional ? option->get_name(true) : fmt::format("{}", fmt::join(names, ", "));
  if (option->get_items_expected_max() > 0) left += " " + option->get_type_name();
  const std::string required = option->get_required() ? " " + get_label("REQUIRED") : "";
  return entry(left, option->get_description() + required);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return entry(command->get_name(), command->get_description());
}

}  // namespace unmask
