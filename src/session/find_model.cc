#include "session/find_model.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

#include "core/error.h"
#include "core/list_folder.h"
#include "io/containers/file_kind.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/open_file.h"
#include "io/containers/packed_file.h"
#include "io/json_file.h"
#include "io/lora.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kRepositoryPrefix = "models--";
constexpr size_t kMaxRefBytes = 4096;
constexpr size_t kMostNamed = 5;

bool is_there(const fs::path& path) {
  std::error_code none;
  return fs::exists(path, none);
}

bool is_folder(const fs::path& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

/// The GGUF models of a folder, sorted; of a split one the first part that is there.
std::vector<fs::path> gguf_models_in(const fs::path& folder) {
  std::map<fs::path, fs::path> found;  // by where the first part should be
  for (const fs::path& path : list_folder(folder)) {
    if (path.extension() == ".gguf") found.try_emplace(first_gguf_part(path), path);
  }
  std::vector<fs::path> models;
  models.reserve(found.size());
  for (const auto& [first, least] : found) models.push_back(least);
  return models;
}

/// Some names of paths: "a, b, ... (9 in all)".
std::string names_of(const std::vector<fs::path>& paths) {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(paths.size(), kMostNamed); ++i) {
    names.push_back(printable(paths[i].filename().string()));
  }
  std::string out = fmt::format("{}", fmt::join(names, ", "));
  if (paths.size() > kMostNamed) out += fmt::format(", ... ({} in all)", paths.size());
  return out;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

/// The snapshot to use in a folder models--ORG--NAME; `repository`/snapshots is a directory.
fs::path find_snapshot(const fs::path& repository) {
  const fs::path snapshots = repository / "snapshots";
  const fs::path main = repository / "refs" / "main";
  if (is_there(main)) {
    fs::path snapshot = snapshots / trimmed(read_text_file(main, kMaxRefBytes));
    if (is_folder(snapshot)) return snapshot;
  }
  const std::vector<fs::path> all = folders_in(snapshots);
  if (all.size() == 1) return all.front();
  if (all.empty()) {
    fail("[model] {}: a cache of the Hugging Face hub without a snapshot; download the model again",
         repository.string());
  }
  fail("[model] {}: a cache of the Hugging Face hub with several snapshots; give one of {}: {}",
       repository.string(), snapshots.string(), names_of(all));
}

/// Letters, digits, '-', '_' and '.', as names on the hub.
bool is_hub_word(std::string_view word) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !word.empty() && word.front() != '.' && std::all_of(word.begin(), word.end(), fits);
}

/// ORG/NAME where `given` may be one, be it as an address of the hub's website.
std::optional<std::string> as_hub_name(std::string_view given) {
  for (const std::string_view site : {"https://huggingface.co/", "https://hf.co/", "hf://"}) {
    if (given.starts_with(site)) given.remove_prefix(site.size());
  }
  while (given.ends_with('/')) given.remove_suffix(1);
  const size_t slash = given.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  if (!is_hub_word(given.substr(0, slash)) || !is_hub_word(given.substr(slash + 1))) {
    return std::nullopt;
  }
  return std::string(given);
}

fs::path folder_of(const std::string& hub_name, const fs::path& hub) {
  std::string folder(kRepositoryPrefix);
  for (const char c : hub_name) folder += c == '/' ? std::string("--") : std::string(1, c);
  return hub / folder;
}

[[noreturn]] void refuse_missing(const std::string& given, const ModelCaches& caches) {
  const std::optional<std::string> name = as_hub_name(given);
  if (!name) {
    fail("[model] {}: no such directory; expected a Hugging Face model directory",
         printable(given));
  }
  std::vector<std::string> places;
  for (const fs::path& place : {caches.hub, caches.own}) {
    if (!place.empty()) places.push_back(place.string());
  }
  fail("[model] {}: no such directory, and no such model in {}; download it: hf download {}",
       printable(given),
       places.empty() ? "a cache, of which there is none"
                      : fmt::format("{}", fmt::join(places, " or ")),
       *name);
}

[[noreturn]] void refuse_file(const fs::path& file) {
  const OpenFile readable(file);  // else it says why not
  std::array<char, kFileKindBytes> bytes{};
  std::ifstream in(file, std::ios::binary);
  in.read(bytes.data(), bytes.size());
  const std::string_view head(bytes.data(), static_cast<size_t>(in.gcount()));
  const std::string type = file.extension().string();
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  if (const std::string kind = file_kind(head); !kind.empty()) {
    fail("[model] {}: is {}", file.string(), kind);
  }
  if (type == ".safetensors" || type == ".json" || type == ".jinja") {
    fail("[model] {}: one file of a model; give its folder: {}", file.string(), folder);
  }
  if (type == ".bin" || type == ".pt" || type == ".pth" || type == ".ckpt") {
    fail(
        "[model] {}: weights of PyTorch; convert them to safetensors first (in Python: "
        "model.save_pretrained(DIR)) and give that folder",
        file.string());
  }
  fail("[model] {}: a file, expected a GGUF file or a Hugging Face model directory", file.string());
}

/// A folder without config.json: what it is instead.
[[noreturn]] void refuse_folder(const fs::path& folder) {
  if (is_there(folder / LoraAdapter::kConfigName)) {
    fail(ErrorCode::adapter, "[model] {}: {}, no model", folder.string(), describe_adapter(folder));
  }
  std::vector<fs::path> repositories;
  std::vector<fs::path> models;
  for (const fs::path& inner : folders_in(folder)) {
    if (inner.filename().string().starts_with(kRepositoryPrefix)) repositories.push_back(inner);
    if (is_there(inner / "config.json")) models.push_back(inner);
  }
  if (!repositories.empty()) {
    fail("[model] {}: a cache of the Hugging Face hub; give one of its models: {}", folder.string(),
         names_of(repositories));
  }
  if (!models.empty()) {
    fail("[model] {}: has no config.json itself; give one of its folders: {}", folder.string(),
         names_of(models));
  }
  fail(
      "[model] {}: has neither config.json nor GGUF files; expected a Hugging Face model directory",
      folder.string());
}

/// The only GGUF model of a folder; `name` is what the user may call the folder.
fs::path only_gguf(const fs::path& folder, const std::vector<fs::path>& models,
                   const std::string& name) {
  if (models.size() == 1) return models.front();
  std::vector<std::string> choices;
  choices.reserve(models.size());
  for (const fs::path& model : models) {
    choices.push_back(printable(name + "/" + model.filename().string(), 300));
  }
  fail("[model] {}: holds {} GGUF models; give one of them: {}", folder.string(), models.size(),
       fmt::join(choices, ", "));
}

fs::path in_folder(const fs::path& folder, const std::string& name) {
  fs::path found = folder;
  if (!has_model_config(folder)) {
    if (is_folder(folder / "snapshots")) found = find_snapshot(folder);
    if (folder.filename() == "snapshots") found = find_snapshot(folder.parent_path());
  }
  // Some tools put the base's configuration beside an adapter.
  const bool has_weights =
      is_there(found / "model.safetensors") || is_there(found / "model.safetensors.index.json");
  const std::vector<fs::path> gguf = gguf_models_in(found);
  if (!has_weights && !gguf.empty()) return only_gguf(found, gguf, name);
  const bool only_adapter = !has_weights && is_there(found / LoraAdapter::kConfigName);
  if (!has_model_config(found) || only_adapter) refuse_folder(found);
  return found;
}

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

}  // namespace

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (fs::path cache = from_environment(name); !cache.empty()) return cache;
  }
  if (const fs::path home = from_environment("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path caches = from_environment("XDG_CACHE_HOME"); !caches.empty()) {
    return caches / "huggingface" / "hub";
  }
  const fs::path user = from_environment("HOME");
  return user.empty() ? fs::path() : user / ".cache" / "huggingface" / "hub";
}

ModelCaches model_caches() {
  ModelCaches caches{.hub = hub_cache()};
  const fs::path user = from_environment("HOME");
  if (const fs::path all = from_environment("XDG_CACHE_HOME"); !all.empty()) {
    caches.own = all / "unmask";
  } else if (!user.empty()) {
    caches.own = user / ".cache" / "unmask";
  }
  return caches;
}

bool has_model_config(const fs::path& folder) { return may_exist(folder / "config.json"); }

fs::path find_model(const std::string& given, const ModelCaches& caches) {
  fs::path path = given;
  if (!path.has_filename() && path.has_parent_path()) path = path.parent_path();
  if (is_folder(path)) return in_folder(path, path.string());
  if (is_gguf_file(path)) {
    const fs::path first = first_gguf_part(path);
    return is_there(first) ? first : path;  // opening it says that parts are missing
  }
  if (is_packed_file(path)) return path;
  if (may_exist(path)) refuse_file(path);
  // ORG/NAME, or a file of it.
  std::string repository_name = given;
  std::string file;
  if (path.extension() == ".gguf") {
    repository_name = path.parent_path().string();
    file = path.filename().string();
  }
  const std::optional<std::string> name = as_hub_name(repository_name);
  if (name && !caches.hub.empty()) {
    const fs::path repository = folder_of(*name, caches.hub);
    if (is_folder(repository / "snapshots")) {
      if (file.empty()) return in_folder(repository, *name);
      const fs::path found = find_snapshot(repository) / file;
      if (is_there(found)) return find_model(found.string(), {});
      fail("[model] {}: {} is not in the cache of the hub; download it: hf download {} {}", given,
           file, *name, file);
    }
  }
  if (name && !caches.own.empty() && is_folder(caches.own / *name)) {
    if (file.empty()) return in_folder(caches.own / *name, *name);
    return find_model((caches.own / *name / file).string(), {});
  }
  refuse_missing(name ? repository_name : given, caches);
}

fs::path find_adapter(const std::string& given, const fs::path& hub) {
  const auto is_adapter = [](const fs::path& path) {
    return is_there(path / LoraAdapter::kConfigName);
  };
  fs::path path = given;
  if (!path.has_filename() && path.has_parent_path()) path = path.parent_path();
  if (is_there(path) && !is_folder(path)) path = path.parent_path();
  if (!is_there(path)) {
    const std::optional<std::string> name = as_hub_name(given);
    if (name && !hub.empty() && is_folder(folder_of(*name, hub))) path = folder_of(*name, hub);
  }
  if (!is_there(path)) refuse_missing(given, {.hub = hub});
  if (!is_adapter(path) && is_folder(path / "snapshots")) path = find_snapshot(path);
  if (is_adapter(path)) return path;
  const bool is_model = is_there(path / "config.json");
  fail("[lora] {}: {} no {}; expected the folder of a LoRA adapter as PEFT saves it", path.string(),
       is_model ? "is a model, no adapter: there is" : "has", LoraAdapter::kConfigName);
}

std::string model_name(const fs::path& model) {
  fs::path whole = fs::absolute(model);
  if (!whole.has_filename()) whole = whole.parent_path();
  if (const auto name = hub_name(whole)) return *name;
  std::string file = whole.filename().string();
  if (is_packed_file(whole)) return whole.stem().string();
  if (!is_gguf_file(whole)) return file;
  if (const auto name = hub_name(whole.parent_path())) return *name + "/" + file;
  return whole.stem().string();
}

std::optional<std::string> hub_name(const fs::path& snapshot) {
  const fs::path snapshots = snapshot.parent_path();
  const std::string folder = snapshots.parent_path().filename().string();
  if (snapshots.filename() != "snapshots" || !folder.starts_with(kRepositoryPrefix)) {
    return std::nullopt;
  }
  const std::string name = folder.substr(kRepositoryPrefix.size());
  const size_t dashes = name.find("--");
  if (dashes == std::string::npos) return name;
  return fmt::format("{}/{}", name.substr(0, dashes), name.substr(dashes + 2));
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found = list_folder(folder);
  std::erase_if(found, [](const fs::path& path) { return !is_folder(path); });
  return found;
}

}  // namespace unmask
