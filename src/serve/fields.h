// Reads the members of a JSON object that a client sent: every mistake names its key.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

/// The body of a request: one JSON object, at most 64 levels deep and with at most 200,000 values.
/// Throws ApiError (invalid_json).
nlohmann::json parse_body(std::string_view body);

/// An object of a request. A member that is null counts as absent. All getters throw ApiError (400)
/// for values of another type or out of range.
class Fields {
 public:
  /// `object` outlives this. `path` stands before the names in messages: "diffusion.".
  explicit Fields(const nlohmann::json& object, std::string path = {})
      : object_(object), path_(std::move(path)) {}

  /// The value of a member, nullptr where it is absent.
  const nlohmann::json* find(std::string_view name);
  std::optional<std::string> text(std::string_view name,
                                  size_t max_bytes = std::numeric_limits<size_t>::max());
  std::optional<bool> flag(std::string_view name);
  std::optional<int64_t> whole(std::string_view name, int64_t least, int64_t most);
  /// A whole number that fits an int.
  std::optional<int> count(std::string_view name, int least,
                           int most = std::numeric_limits<int>::max());
  std::optional<double> number(std::string_view name, double least, double most);
  /// One of `values`, or the first of them when the member is absent.
  std::string choice(std::string_view name, const std::vector<std::string>& values);
  /// The members of an object; nullopt where it is absent.
  std::optional<Fields> object(std::string_view name);
  /// The elements of an array, none where it is absent.
  std::vector<const nlohmann::json*> array(std::string_view name, size_t least, size_t most);

  /// "diffusion.steps" of "steps".
  std::string path(std::string_view name) const { return path_ + std::string(name); }
  /// Throws ApiError (invalid_value) for a member.
  [[noreturn]] void refuse(std::string_view name, const std::string& message,
                           const std::string& code = "invalid_value") const;
  /// Throws ApiError (unknown_parameter) when there is a member that nobody asked for.
  void refuse_unknown() const;

 private:
  [[noreturn]] void refuse_type(std::string_view name, const nlohmann::json& found,
                                std::string_view expected) const;

  const nlohmann::json& object_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
};

/// The element `i` of a member in messages: "messages[3]".
std::string element_path(std::string_view name, size_t i);

/// A JSON value in messages: its text, shortened.
std::string shown(const nlohmann::json& value);

}  // namespace unmask
