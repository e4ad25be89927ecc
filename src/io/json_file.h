// Strict reading of small JSON files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace unmask {

/// The content of a JSON file. Throws Error naming the file when it cannot be read, is larger than
/// `max_bytes`, is no JSON, nests deeper than 64 levels or repeats a key within an object.
nlohmann::json read_json_file(const std::filesystem::path& path, size_t max_bytes);

}  // namespace unmask
