// Which kind of model a configuration is of, without reading the rest of it.
#pragma once

#include <filesystem>

namespace unmask {

/// Whether the file, a config.json, names a family that can be run. Throws Error where it cannot be
/// read.
bool has_known_family(const std::filesystem::path& config);

}  // namespace unmask
