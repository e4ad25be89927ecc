// Text inside HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace unmask {

/// `text` as the content of an element or of a quoted attribute; bytes that are no UTF-8 become
/// U+FFFD.
std::string html_text(std::string_view text);

}  // namespace unmask
