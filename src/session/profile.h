// Settings of generation that were found for a model and somebody's own questions, as a file.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "session/request_builder.h"

namespace unmask {

/// A preset, and what differs from it. What is not set follows from the preset, as in
/// RequestOptions.
struct Profile {
  Preset preset = Preset::exact;
  std::optional<std::string> method{};
  std::optional<double> threshold{}, leap{};
  std::optional<int> block_length{};

  bool operator==(const Profile&) const = default;
};

/// "balanced, threshold 0.9": tells profiles apart for people.
std::string profile_name(const Profile& profile);
/// `options` with the settings of the profile in the place of theirs; a block length stays where
/// the profile has none.
RequestOptions with_profile(RequestOptions options, const Profile& profile);

/// An object with "unmask_profile", the version of the form, and the names of options.
nlohmann::ordered_json to_json(const Profile& profile);
/// Throws Error naming what is missing, unknown or out of range. "model" and "measured" may say
/// where it comes from; they change nothing.
Profile read_profile(const std::filesystem::path& file);

}  // namespace unmask
