// A table that can be read on a terminal, in Markdown and on a page.
#pragma once

#include <string>
#include <vector>

namespace unmask {

/// The first column is aligned to the left, the others, which hold numbers, to the right.
struct TextTable {
  std::vector<std::string> header{};
  std::vector<std::vector<std::string>> rows{};  // as many entries as the header each
};

std::string to_text(const TextTable& table);
/// The entries of the first column as code.
std::string to_markdown(const TextTable& table);
std::string to_html(const TextTable& table);

}  // namespace unmask
