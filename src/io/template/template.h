// Jinja templates as chat templates use them, run as the transformers library runs them: a sandbox
// whose values cannot be changed, trim_blocks and lstrip_blocks on, loop controls, and the
// functions raise_exception and strftime_now. They see nothing but their data.
#pragma once

#include <ctime>
#include <string_view>

#include "io/template/syntax.h"

namespace unmask::jinja {

/// Immutable, hence safe to use from several threads.
class Template {
 public:
  /// Throws Error (chat_format) that names the line for what is no template, or more than 1 MiB.
  explicit Template(std::string_view source);

  /// What it prints about `data`. `now` is what strftime_now tells. Throws Error that names the
  /// line: chat_format for what cannot be run or computed, other where the template refuses the
  /// data.
  Text render(const Dict& data, std::time_t now) const;
  /// Whether it uses a variable, or a part of a value, of that name.
  bool uses(std::string_view name) const;
  /// Whether it can write `text`.
  bool writes(std::string_view text) const;

 private:
  Tree tree_;
};

}  // namespace unmask::jinja
