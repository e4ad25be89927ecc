// Configurations of well-known model sizes, with the keys the published files have.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace unmask {

struct ModelShape {
  nlohmann::ordered_json config;      // config.json
  nlohmann::ordered_json generation;  // generation_config.json
  std::string layers_key;             // the key of `config` that counts layers
};

/// "llada-8b", "dream-7b", "llada2-mini", "sdar-1.7b" and the like.
std::vector<std::string> model_shape_names();

/// Throws Error listing the names for another one.
ModelShape model_shape(const std::string& name);

}  // namespace unmask
