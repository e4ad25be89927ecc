// Members of a request whose keys have an order: that of a schema's properties is the order in
// which a model writes them.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace unmask {

/// The member `name` of a well-formed JSON object, null where it is absent. Throws ApiError for one
/// of more than 64 KiB.
nlohmann::ordered_json ordered_member(std::string_view object, std::string_view name);

}  // namespace unmask
