#include "serve/http/message.h"

#include <algorithm>

namespace unmask::http {

const std::string* Head::find(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &Header::name);
  return found == headers.end() ? nullptr : &found->value;
}

int Head::count(std::string_view name) const {
  return static_cast<int>(std::ranges::count(headers, name, &Header::name));
}

}  // namespace unmask::http
