// The model families: by which names their files are known, and how their configuration is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/config_reader.h"
#include "io/model_config.h"

namespace unmask {

/// What the files of a family leave to its published code.
struct FamilyFacts {
  Family family;
  std::string_view name;    // as reports show it
  std::string_view option;  // as --family takes it
  TokenId mask_id = -1;     // -1: the files must say it
  bool eos_is_pad = false;  // a configuration without an end token means its padding
};

const FamilyFacts& facts_of(Family family);

/// By model_type and architectures, which must agree: LLaDA-MoE, for one, shares the model_type of
/// LLaDA. Throws Error that names what is supported.
Family find_family(const ConfigReader& config);

/// Fills in shapes, blocks and flags. Throws Error naming the key that is missing, wrong, or asks
/// for what is not implemented.
void read_family(const ConfigReader& config, ModelConfig& model);

}  // namespace unmask
