#include "io/text/regex.h"

#include "core/error.h"
#include "io/text/pcre.h"

namespace unmask {

namespace {

constexpr uint32_t kMostHeap = 64U << 10;  // KiB; the library itself would take 20 GB

}  // namespace

void Regex::CodeDeleter::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Regex::Regex(std::string_view pattern) {
  int error = 0;
  size_t place = 0;
  code_.reset(pcre2_compile(code_units(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
                            &place, nullptr));
  if (!code_) {
    fail("[regex] regular expression '{}': {} at offset {}", printable(pattern),
         pcre_message(error), place);
  }
  limits_.reset(pcre2_match_context_create(nullptr));
  if (!limits_) throw std::bad_alloc();
  pcre2_set_heap_limit(limits_.get(), kMostHeap);
}

void Regex::LimitsDeleter::operator()(pcre2_real_match_context_8* limits) const {
  pcre2_match_context_free(limits);
}

std::optional<std::string_view> Regex::find(std::string_view text, size_t from) const {
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr), pcre2_match_data_free);
  if (!match) throw std::bad_alloc();
  const int found =
      pcre2_match(code_.get(), code_units(text), text.size(), from, 0, match.get(), limits_.get());
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (found < 0) fail("[regex] a search failed: {}", pcre_message(found));
  const size_t* bounds = pcre2_get_ovector_pointer(match.get());
  return text.substr(bounds[0], bounds[1] - bounds[0]);
}

std::optional<std::string_view> Regex::last_match(std::string_view text) const {
  std::optional<std::string_view> last;
  for (size_t from = 0; from <= text.size();) {
    const auto found = find(text, from);
    if (!found || found->empty()) break;
    last = found;
    from = static_cast<size_t>(found->data() - text.data()) + found->size();
  }
  return last;
}

}  // namespace unmask
