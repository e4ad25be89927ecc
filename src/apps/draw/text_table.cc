#include "apps/draw/text_table.h"

#include <algorithm>
#include <fmt/format.h>

#include "apps/draw/html.h"

namespace unmask {

namespace {

std::string text_row(const std::vector<std::string>& row, const std::vector<size_t>& widths) {
  std::string line = fmt::format("{:<{}}", row[0], widths[0]);
  for (size_t c = 1; c < row.size(); ++c) line += fmt::format("  {:>{}}", row[c], widths[c]);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string html_row(const std::vector<std::string>& row, const char* tag) {
  std::string line = "<tr>";
  for (const std::string& entry : row) line += fmt::format("<{0}>{1}</{0}>", tag, html_text(entry));
  return line + "</tr>\n";
}

}  // namespace

std::string to_text(const TextTable& table) {
  std::vector<size_t> widths;
  for (size_t c = 0; c < table.header.size(); ++c) {
    size_t width = table.header[c].size();
    for (const auto& row : table.rows) width = std::max(width, row[c].size());
    widths.push_back(width);
  }
  std::string out = text_row(table.header, widths);
  for (const auto& row : table.rows) out += text_row(row, widths);
  return out;
}

std::string to_markdown(const TextTable& table) {
  std::string out = "|";
  for (const std::string& entry : table.header) out += fmt::format(" {} |", entry);
  out += "\n|---|";
  for (size_t c = 1; c < table.header.size(); ++c) out += "---:|";
  out += '\n';
  for (const auto& row : table.rows) {
    out += fmt::format("| `{}` |", row[0]);
    for (size_t c = 1; c < row.size(); ++c) out += fmt::format(" {} |", row[c]);
    out += '\n';
  }
  return out;
}

std::string to_html(const TextTable& table) {
  std::string out = "<table>\n<thead>" + html_row(table.header, "th") + "</thead>\n<tbody>\n";
  for (const auto& row : table.rows) out += html_row(row, "td");
  return out + "</tbody>\n</table>\n";
}

}  // namespace unmask
