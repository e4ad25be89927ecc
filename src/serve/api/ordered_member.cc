#include "serve/api/ordered_member.h"

#include "core/error.h"
#include "io/json_file.h"
#include "io/json_members.h"
#include "serve/api_error.h"

namespace unmask {

namespace {

constexpr size_t kMostBytes = size_t{64} << 10;  // the cost grows with the square of the keys

}  // namespace

nlohmann::ordered_json ordered_member(std::string_view object, std::string_view name) {
  for (const JsonMember& member : json_members(object)) {
    if (member.name != name) continue;
    const std::string where = fmt::format("[request] {}", name);
    if (member.text.size() > kMostBytes) {
      throw invalid_value(std::string(name), fmt::format("{}: found {} bytes, expected at most {}",
                                                         where, member.text.size(), kMostBytes));
    }
    const std::string alone = fmt::format("{{{}}}", member.text);
    return parse_ordered_json(alone, where).front();
  }
  return {};
}

}  // namespace unmask
