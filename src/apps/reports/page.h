// The frame of the pages that reports are: one style, no scripts, nothing from a network.
#pragma once

#include <string>
#include <string_view>

namespace unmask {

/// A whole page; `body` is HTML, `title` is text.
std::string report_page(std::string_view title, const std::string& body);
/// A part of a page under a heading; `content` is HTML.
std::string section(std::string_view title, const std::string& content);
std::string figure(const std::string& svg);

}  // namespace unmask
