// From what a user calls a model to the folder that holds it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace unmask {

/// Where the Hugging Face tools keep what they download: HF_HUB_CACHE, else HF_HOME/hub, else
/// huggingface/hub in XDG_CACHE_HOME or ~/.cache. Empty without any of them.
std::filesystem::path hub_cache();

/// Where models are looked for by name.
struct ModelCaches {
  std::filesystem::path hub{};  // hub_cache()
  std::filesystem::path
      own{};  // folders ORG/NAME, filled by hand: unmask in XDG_CACHE_HOME or ~/.cache
};
ModelCaches model_caches();

/// The folder with the config.json of a model: `given` itself; the snapshot that refs/main names,
/// or the only one, where `given` is a folder models--ORG--NAME of a cache; the same of the hub's
/// cache, or the folder ORG/NAME of our own, where `given` is ORG/NAME. Throws Error saying what
/// `given` is and what to do where it is something else: a file, a LoRA adapter (code adapter), a
/// folder of several models, nothing at all.
std::filesystem::path find_model(const std::string& given, const ModelCaches& caches);

/// The same of a LoRA adapter, which has an adapter_config.json instead.
std::filesystem::path find_adapter(const std::string& given, const std::filesystem::path& hub);

/// Whether a config.json lies in a folder, be it a link to what was never downloaded.
bool has_model_config(const std::filesystem::path& folder);

/// "ORG/NAME" of a snapshot in a cache; none for other folders.
std::optional<std::string> hub_name(const std::filesystem::path& snapshot);

}  // namespace unmask
