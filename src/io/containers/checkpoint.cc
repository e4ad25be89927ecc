#include "io/containers/checkpoint.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string>

#include "core/error.h"
#include "io/fnv1a.h"
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
    std::error_code none;
    return std::any_of(fs::directory_iterator(directory, none), fs::directory_iterator(),
                       [&](const fs::directory_entry& entry) {
                         const std::string name = entry.path().filename().string();
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
  if (has("", ".gguf")) fail("{}, but GGUF files, which cannot be run yet", lacks);
  fail("{}; download the weights", lacks);
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& directory) : directory_(directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) {
    fail("[checkpoint] {}: no such directory; expected a Hugging Face model directory",
         directory.string());
  }
  const fs::path single = directory / "model.safetensors";
  const fs::path index = directory / "model.safetensors.index.json";
  // A link to nothing counts as the file, which then says so.
  const auto is_there = [&](const fs::path& path) {
    return fs::exists(path, ignored) || fs::is_symlink(path, ignored);
  };
  if (is_there(single)) {
    add_shard(single);
  } else if (is_there(index)) {
    add_indexed_shards(index);
  } else {
    refuse_without_weights(directory);
  }
}

void Checkpoint::rename(const std::map<std::string, std::string>& new_names) {
  std::map<std::string, Entry, std::less<>> taken;
  for (const auto& [name, old] : new_names) {
    auto node = entries_.extract(old);
    UNMASK_CHECK(!node.empty(), "a tensor to be renamed must be there");
    taken.emplace(name, node.mapped());
  }
  entries_.merge(taken);
}

void Checkpoint::split(const std::string& name, std::span<const std::string> parts,
                       std::span<const int64_t> rows, bool stacked) {
  const Entry whole = entry(name);
  const std::vector<int64_t>& shape = whole.tensor.shape;
  const int64_t sum = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  if (shape.empty() || shape[0] != sum) {
    fail("[checkpoint] {}: shape [{}], expected {} rows", printable(name), fmt::join(shape, ", "),
         sum);
  }
  entries_.erase(name);
  const size_t row_bytes = sum == 0 ? 0 : whole.tensor.bytes.size() / static_cast<size_t>(sum);
  size_t begin = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    Entry part = whole;
    if (stacked) {
      part.tensor.shape.erase(part.tensor.shape.begin());
    } else {
      part.tensor.shape[0] = rows[i];
    }
    const size_t bytes = row_bytes * static_cast<size_t>(rows[i]);
    part.tensor.bytes = whole.tensor.bytes.subspan(begin, bytes);
    begin += bytes;
    if (!entries_.emplace(parts[i], std::move(part)).second) {
      fail("[checkpoint] {}: holds both '{}' and the parts of '{}'", directory_.string(),
           printable(parts[i]), printable(name));
    }
  }
}

void Checkpoint::add_shard(const fs::path& path) {
  shards_.push_back(std::make_unique<SafetensorsFile>(path));
  const SafetensorsFile& shard = *shards_.back();
  for (const auto& [name, tensor] : shard.tensors()) {
    const auto [it, inserted] = entries_.try_emplace(name, Entry{tensor, &shard});
    if (!inserted) {
      fail("[checkpoint] {}: tensor '{}' is also in {}", path.string(), printable(name),
           it->second.shard->path().filename().string());
    }
  }
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
    std::error_code ignored;
    if (!fs::exists(directory_ / file, ignored)) missing.push_back(file);
  }
  if (!missing.empty()) {
    fail("[checkpoint] {}: {} of {} files with weights are missing, e.g. {}; download them again",
         directory_.string(), missing.size(), files.size(), missing.front());
  }
  for (const std::string& file : files) add_shard(directory_ / file);
  for (const auto& [name, file] : weight_map.items()) {
    const auto found = entries_.find(name);
    if (found == entries_.end() ||
        found->second.shard->path().filename() != file.get<std::string>()) {
      fail("[checkpoint] {}: tensor '{}' is not in {}", index.string(), printable(name),
           file.get<std::string>());
    }
  }
}

const Checkpoint::Entry& Checkpoint::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    fail("[checkpoint] {}: tensor '{}' is missing", directory_.string(), printable(name));
  }
  return found->second;
}

bool Checkpoint::contains(std::string_view name) const { return entries_.contains(name); }

const StoredTensor& Checkpoint::at(std::string_view name) const { return entry(name).tensor; }

std::vector<std::string_view> Checkpoint::names() const {
  std::vector<std::string_view> all;
  all.reserve(entries_.size());
  for (const auto& [name, found] : entries_) all.push_back(name);
  return all;
}

int64_t Checkpoint::total_bytes() const {
  int64_t total = 0;
  for (const auto& [name, found] : entries_) {
    total += static_cast<int64_t>(found.tensor.bytes.size());
  }
  return total;
}

uint64_t Checkpoint::fingerprint() const {
  constexpr size_t kSample = 64;
  uint64_t hash = fnv1a("");
  for (const auto& [name, found] : entries_) {
    hash = fnv1a(name, hash);
    const std::span<const std::byte> bytes = found.tensor.bytes;
    const size_t length = std::min(kSample, bytes.size());
    for (const size_t begin : {size_t{0}, (bytes.size() - length) / 2, bytes.size() - length}) {
      hash = fnv1a({reinterpret_cast<const char*>(bytes.data()) + begin, length}, hash);
    }
  }
  return hash;
}

void Checkpoint::release(std::string_view name) const {
  const Entry& found = entry(name);
  found.shard->file().release(found.tensor.bytes);
}

}  // namespace unmask
