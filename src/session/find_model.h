// From what a user calls a model to the folder or file that holds it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace unmask {

/// Where the Hugging Face tools keep what they download: HF_HUB_CACHE, else HF_HOME/hub, else
/// huggingface/hub in XDG_CACHE_HOME or ~/.cache. Empty without any of them.
std::filesystem::path hub_cache();

/// The folder with the config.json of a model, or its GGUF file, of a split one the first part.
/// `given` is that folder or file (any part); a folder with GGUF files of one model alone; a folder
/// models--ORG--NAME of a cache, for the snapshot that refs/main names, or the only one; ORG/NAME
/// or ORG/NAME/FILE.gguf of the cache `hub`. Throws Error saying what `given` is and what to do
/// where it is something else: another file, a LoRA adapter (code adapter), a folder of several
/// models, nothing at all.
std::filesystem::path find_model(const std::string& given, const std::filesystem::path& hub);

/// The same of the folder of a LoRA adapter, which has an adapter_config.json instead.
std::filesystem::path find_adapter(const std::string& given, const std::filesystem::path& hub);

/// What a model is called: the name of its folder or file, ORG/NAME or ORG/NAME/FILE.gguf in a
/// cache.
std::string model_name(const std::filesystem::path& model);

/// "ORG/NAME" of a snapshot in a cache; none for other folders.
std::optional<std::string> hub_name(const std::filesystem::path& snapshot);

}  // namespace unmask
