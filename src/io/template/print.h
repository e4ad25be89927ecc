// Values as text: as Python prints them, and as JSON.
#pragma once

#include <optional>
#include <string_view>

#include "io/template/value.h"

namespace unmask::jinja {

/// str(value): what is printed. Throws Error for what has no text that means anything, such as a
/// function.
Text to_text(const Value& value);
/// repr(value): as it stands inside a list.
Text to_source(const Value& value);

struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  std::optional<Text> indent{};  // of a level; without one all is on one line
  Text comma{", "};
  Text colon{": "};
};

/// json.dumps(value), as the transformers library defines it for templates: nothing is escaped for
/// HTML. Throws Error for what JSON has no form for.
Text to_json(const Value& value, const JsonStyle& style = {});

/// A real number as Python prints it.
std::string real_text(double value);

}  // namespace unmask::jinja
