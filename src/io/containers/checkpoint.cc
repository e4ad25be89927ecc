#include "io/containers/checkpoint.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/error.h"
#include "core/list_folder.h"
#include "io/containers/open_file.h"
#include "io/json_file.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr size_t kMaxIndexBytes = size_t{64} << 20;

/// A shard must be a plain file of the directory: an index cannot reach elsewhere.
bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '/' || c == '\\' || byte < 0x20 || byte == 0x7f;
  });
}

/// Throws for a folder without weights that could be read: says what is there instead.
[[noreturn]] void refuse_without_weights(const fs::path& directory) {
  const auto has = [&](std::string_view begin, std::string_view end) {
    return std::ranges::any_of(list_folder(directory), [&](const fs::path& path) {
      const std::string name = path.filename().string();
      return name.starts_with(begin) && name.ends_with(end);
    });
  };
  const std::string lacks = fmt::format(
      "[checkpoint] {}: holds neither model.safetensors nor model.safetensors.index.json",
      directory.string());
  if (has("adapter_model", "")) {
    fail(ErrorCode::adapter, "{}, but a LoRA adapter", lacks);
  }
  if (has("model-", ".safetensors")) {
    fail("{}, but parts of weights: without the index they cannot be told to be all; download it",
         lacks);
  }
  if (has("", ".bin") || has("", ".pt") || has("", ".pth") || has("", ".ckpt")) {
    fail(
        "{}, but weights of PyTorch; convert them to safetensors first (in Python: "
        "model.save_pretrained(DIR))",
        lacks);
  }
  if (has("", ".gguf")) fail("{}, but GGUF files; give one of them", lacks);
  fail("{}; download the weights", lacks);
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& directory) : TensorDirectory(directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) {
    fail("[checkpoint] {}: no such directory; expected a Hugging Face model directory",
         directory.string());
  }
  const fs::path single = directory / "model.safetensors";
  const fs::path index = directory / "model.safetensors.index.json";
  if (may_exist(single)) {
    add_shard(single);
  } else if (may_exist(index)) {
    add_indexed_shards(index);
  } else {
    refuse_without_weights(directory);
  }
}

void Checkpoint::add_shard(const fs::path& path) {
  shards_.push_back(std::make_unique<SafetensorsFile>(path));
  const SafetensorsFile& shard = *shards_.back();
  for (const auto& [name, tensor] : shard.tensors()) add(name, tensor, shard.file(), path);
}

void Checkpoint::add_indexed_shards(const fs::path& index) {
  const json content = read_json_file(index, {.max_bytes = kMaxIndexBytes});
  if (!content.is_object() || !content.contains("weight_map") ||
      !content["weight_map"].is_object()) {
    fail("[checkpoint] {}: has no object weight_map", index.string());
  }
  const json& weight_map = content["weight_map"];
  std::set<std::string, std::less<>> files;
  for (const auto& [name, file] : weight_map.items()) {
    if (!file.is_string() || !is_plain_file_name(file.get_ref<const std::string&>())) {
      fail("[checkpoint] {}: weight_map of '{}' is {}, expected the name of a file in this folder",
           index.string(), printable(name), printable(file.dump(-1, ' ', true)));
    }
    files.insert(file.get<std::string>());
  }
  std::vector<std::string> missing;
  for (const std::string& file : files) {
    if (!may_exist(path() / file)) missing.push_back(file);
  }
  if (!missing.empty()) {
    fail("[checkpoint] {}: {} of {} files with weights are missing, e.g. {}; download them again",
         path().string(), missing.size(), files.size(), missing.front());
  }
  for (const std::string& file : files) add_shard(path() / file);
  for (const auto& [name, file] : weight_map.items()) {
    if (file_of(name).filename() == file.get<std::string>()) continue;
    fail("[checkpoint] {}: tensor '{}' is not in {}", index.string(), printable(name),
         file.get<std::string>());
  }
}

}  // namespace unmask
