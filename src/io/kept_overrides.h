// What a user said about a model when it was packed, which the packed file keeps.
#pragma once

#include <filesystem>
#include <string>

#include "io/model_config.h"

namespace unmask {

/// The file inside a packed model that holds them.
inline constexpr const char* kOverridesFile = "overrides.json";

/// As JSON; empty where nothing is overridden.
std::string overrides_text(const ModelOverrides& overrides);

/// `given`, and where it is silent what `model` keeps. Throws Error for a malformed file.
ModelOverrides with_kept_overrides(const std::filesystem::path& model, const ModelOverrides& given);

}  // namespace unmask
