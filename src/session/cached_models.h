// The models that were downloaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/model_config.h"
#include "session/find_model.h"

namespace unmask {

struct CachedModel {
  std::string name;                // ORG/NAME
  std::filesystem::path folder{};  // empty where there is no snapshot to use
  std::string problem{};           // why there is none
  int64_t bytes = 0;               // of the files in the folder, each once
};

/// What is in the caches, by name. Folders without a config.json, such as data sets, are left out.
std::vector<CachedModel> list_cached_models(const ModelCaches& caches);

/// Whether the config.json of a folder names a family that can be run. Throws Error where there is
/// no such file or it cannot be read.
bool is_of_known_family(const std::filesystem::path& folder);

int64_t count_parameters(const ModelConfig& config);

}  // namespace unmask
