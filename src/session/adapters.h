// LoRA adapters that a user wants merged into a model.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/lora.h"

namespace unmask {

struct AdapterChoice {
  std::filesystem::path directory;
  float scale = 1;  // of its changes, on top of the adapter's own
};

/// "DIR" or "DIR:SCALE", DIR as find_adapter() understands it. Throws Error for a scale that is no
/// finite number, and as find_adapter.
AdapterChoice parse_adapter(const std::string& text, const std::filesystem::path& hub);

/// Opens them all. Throws Error as LoraAdapter.
std::vector<LoraAdapter> open_adapters(std::span<const AdapterChoice> choices);

}  // namespace unmask
