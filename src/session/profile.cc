#include "session/profile.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"
#include "io/json_file.h"

namespace unmask {

namespace {

constexpr int kVersion = 1;
constexpr size_t kMostBytes = 1 << 20;
constexpr int64_t kLongestBlock = 1 << 20;
constexpr std::array<std::string_view, 8> kKeys{
    "unmask_profile", "model", "preset", "method", "threshold", "leap", "block_length", "measured"};

/// The members of the object in a file, each checked when it is read.
class ProfileReader {
 public:
  explicit ProfileReader(const std::filesystem::path& file)
      : where_(fmt::format("[profile] {}", printable(file.string()))),
        object_(read_json_file(file, {.max_bytes = kMostBytes})) {
    if (!object_.is_object() || object_.value("unmask_profile", nlohmann::json()) != kVersion) {
      fail("{}: found no \"unmask_profile\": {}, expected a file that unmask tune has written",
           where_, kVersion);
    }
    for (const auto& [key, value] : object_.items()) {
      if (std::ranges::count(kKeys, key) > 0) continue;
      fail("{}: unknown member \"{}\"; there is {}", where_, printable(key),
           fmt::join(kKeys, ", "));
    }
  }
  std::optional<std::string> text(const char* key) const {
    if (!object_.contains(key)) return std::nullopt;
    if (!object_[key].is_string()) fail("{}: {}: expected a text", where_, key);
    return object_[key].get<std::string>();
  }
  std::optional<double> share(const char* key) const {
    if (!object_.contains(key)) return std::nullopt;
    const nlohmann::json& value = object_[key];
    if (!value.is_number() || !(value > 0 && value <= 1)) {
      fail("{}: {}: found {}, expected a number above 0 and up to 1", where_, key, value.dump());
    }
    return value.get<double>();
  }
  std::optional<int> length(const char* key) const {
    if (!object_.contains(key)) return std::nullopt;
    const nlohmann::json& value = object_[key];
    if (!value.is_number_integer() || !(value > 0 && value <= kLongestBlock)) {
      fail("{}: {}: found {}, expected a whole number from 1 to {}", where_, key, value.dump(),
           kLongestBlock);
    }
    return value.get<int>();
  }

 private:
  std::string where_;
  nlohmann::json object_;
};

}  // namespace

std::string profile_name(const Profile& profile) {
  std::string name(preset_name(profile.preset));
  if (profile.method) name += ", " + *profile.method;
  if (profile.block_length) name += fmt::format(", blocks of {}", *profile.block_length);
  if (profile.threshold) name += fmt::format(", threshold {}", *profile.threshold);
  if (profile.leap) name += fmt::format(", leap {}", *profile.leap);
  return name;
}

RequestOptions with_profile(RequestOptions options, const Profile& profile) {
  options.preset = profile.preset;
  options.method = profile.method;
  options.threshold = profile.threshold;
  options.leap = profile.leap;
  if (profile.block_length) options.block_length = profile.block_length;
  return options;
}

nlohmann::ordered_json to_json(const Profile& profile) {
  nlohmann::ordered_json json{{"unmask_profile", kVersion},
                              {"preset", preset_name(profile.preset)}};
  if (profile.method) json["method"] = *profile.method;
  if (profile.threshold) json["threshold"] = *profile.threshold;
  if (profile.leap) json["leap"] = *profile.leap;
  if (profile.block_length) json["block_length"] = *profile.block_length;
  return json;
}

Profile read_profile(const std::filesystem::path& file) {
  const ProfileReader reader(file);
  const std::optional<std::string> preset = reader.text("preset");
  if (!preset) fail("[profile] {}: found no \"preset\"", printable(file.string()));
  return {.preset = parse_preset(*preset),
          .method = reader.text("method"),
          .threshold = reader.share("threshold"),
          .leap = reader.share("leap"),
          .block_length = reader.length("block_length")};
}

}  // namespace unmask
