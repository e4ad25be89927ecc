// From what a user calls a model to the folder or file that holds it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

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

/// The folder with the config.json of a model, or its GGUF file, of a split one the first part.
/// `given` is that folder or file (any part); a folder with GGUF files of one model alone; a folder
/// models--ORG--NAME of a cache, for the snapshot that refs/main names, or the only one; ORG/NAME
/// or ORG/NAME/FILE.gguf of the caches. Throws Error saying what `given` is and what to do
/// where it is something else: another file, a LoRA adapter (code adapter), a folder of several
/// models, nothing at all.
std::filesystem::path find_model(const std::string& given, const ModelCaches& caches);

/// The same of the folder of a LoRA adapter, which has an adapter_config.json instead.
std::filesystem::path find_adapter(const std::string& given, const std::filesystem::path& hub);

/// What a model is called: the name of its folder or file, ORG/NAME or ORG/NAME/FILE.gguf in a
/// cache.
std::string model_name(const std::filesystem::path& model);

/// Whether a config.json lies in a folder, be it a link to what was never downloaded.
bool has_model_config(const std::filesystem::path& folder);

/// "ORG/NAME" of a snapshot in a cache; none for other folders.
std::optional<std::string> hub_name(const std::filesystem::path& snapshot);

/// Folders inside a folder, sorted; none where it cannot be read.
std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);

}  // namespace unmask
