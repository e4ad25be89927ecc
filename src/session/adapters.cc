#include "session/adapters.h"

#include <cmath>
#include <system_error>

#include "core/error.h"
#include "core/parse_number.h"
#include "session/find_model.h"

namespace unmask {

AdapterChoice parse_adapter(const std::string& text, const std::filesystem::path& hub) {
  std::error_code none;
  const size_t colon = text.rfind(':');
  // A folder may have a colon in its name; a scale never has a slash behind it.
  const bool whole = colon == std::string::npos || colon + 1 == text.size() ||
                     text.find('/', colon) != std::string::npos ||
                     std::filesystem::exists(text, none);
  if (whole) return {find_adapter(text, hub)};
  const auto scale = parse_number<float>(text.substr(colon + 1));
  if (!scale) {
    fail("[lora] {}: the scale '{}' is no finite number; expected DIR or DIR:SCALE, e.g. DIR:0.5",
         printable(text), printable(text.substr(colon + 1)));
  }
  return {find_adapter(text.substr(0, colon), hub), *scale};
}

std::vector<LoraAdapter> open_adapters(std::span<const AdapterChoice> choices) {
  std::vector<LoraAdapter> adapters;
  for (const AdapterChoice& choice : choices) adapters.emplace_back(choice.directory);
  return adapters;
}

}  // namespace unmask
