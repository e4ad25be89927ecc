#include "apps/reports/page.h"

#include <fmt/format.h>

#include "apps/draw/html.h"

namespace unmask {

namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
section { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: 3px 10px; border-bottom: 1px solid #8884; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td:first-child, li { font-family: ui-monospace, monospace; font-size: 13px; }
dl { display: flex; flex-wrap: wrap; gap: 0 20px; }
dt { font-weight: 600; }
dd { margin: 0 0 0 .5em; }
dl div { display: flex; }
figure { margin: 1rem 0; display: inline-block; vertical-align: top; }
svg { max-width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: currentColor; }
svg .title { font-size: 14px; font-weight: 600; }
svg line { stroke: #8885; }
ol { columns: 2 24rem; }
)";

}  // namespace

std::string report_page(std::string_view title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width\"/>\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
      html_text(title), kStyle, body);
}

std::string section(std::string_view title, const std::string& content) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", html_text(title), content);
}

std::string figure(const std::string& svg) { return "<figure>\n" + svg + "</figure>\n"; }

}  // namespace unmask
