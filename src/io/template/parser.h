// From the text of a template to its tree.
#pragma once

#include <string_view>

#include "io/template/syntax.h"

namespace unmask::jinja {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

/// Throws Error (chat_format) that names the line, and the tag where it is one that cannot be run.
Tree parse(std::string_view source);

}  // namespace unmask::jinja
