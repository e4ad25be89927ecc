// The members of a JSON object as they were written, for what is only passed on: a value that is
// read and written again may lose digits, its range or its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace unmask {

struct JsonMember {
  std::string name;
  std::string_view text;  // of the object: the quoted name, the colon and the value
};

/// Members in their order. `object` must be a well-formed JSON object.
std::vector<JsonMember> json_members(std::string_view object);

/// `text` with 0 for every number outside strings, so that a parser without room for a number does
/// not refuse the rest. What is no well-formed number stays.
std::string without_numbers(std::string_view text);

}  // namespace unmask
