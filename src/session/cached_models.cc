#include "session/cached_models.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/list_folder.h"
#include "io/model_family.h"
#include "model/families.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

/// Adds the files in a folder, behind links, too, to `seen` and returns the bytes of new ones; what
/// a broken link promises has none.
int64_t bytes_in(const fs::path& folder, std::set<fs::path>& seen) {
  int64_t bytes = 0;
  std::error_code none;
  for (const fs::path& path : list_folder(folder)) {
    if (fs::is_directory(fs::symlink_status(path, none))) bytes += bytes_in(path, seen);
    const fs::path file = fs::canonical(path, none);
    if (none || !fs::is_regular_file(file, none) || !seen.insert(file).second) continue;
    const uintmax_t size = fs::file_size(file, none);
    if (!none) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

int64_t bytes_in(const fs::path& folder) {
  std::set<fs::path> seen;
  return bytes_in(folder, seen);
}

void list_hub(const fs::path& hub, std::vector<CachedModel>& models) {
  for (const fs::path& repository : folders_in(hub)) {
    const auto name = hub_name(repository / "snapshots" / "any");
    if (!name) continue;
    CachedModel model{*name};
    try {
      model.folder = find_model(repository.string(), {});
    } catch (const Error& error) {
      const auto snapshots = folders_in(repository / "snapshots");
      const bool is_model = std::any_of(snapshots.begin(), snapshots.end(), has_model_config);
      if (!is_model && !snapshots.empty()) continue;  // an adapter, or no model at all
      model.problem = error.what();
    }
    models.push_back(std::move(model));
  }
}

void list_own(const fs::path& own, std::vector<CachedModel>& models) {
  for (const fs::path& organisation : folders_in(own)) {
    for (const fs::path& folder : folders_in(organisation)) {
      if (!has_model_config(folder)) continue;
      const std::string name = organisation.filename().string() + "/" + folder.filename().string();
      const bool known = std::any_of(models.begin(), models.end(),
                                     [&](const CachedModel& m) { return m.name == name; });
      if (!known) models.push_back({name, folder});
    }
  }
}

}  // namespace

std::vector<CachedModel> list_cached_models(const ModelCaches& caches) {
  std::vector<CachedModel> models;
  if (!caches.hub.empty()) list_hub(caches.hub, models);
  if (!caches.own.empty()) list_own(caches.own, models);
  for (CachedModel& model : models) {
    if (!model.folder.empty()) model.bytes = bytes_in(model.folder);
  }
  std::sort(models.begin(), models.end(),
            [](const CachedModel& a, const CachedModel& b) { return a.name < b.name; });
  return models;
}

bool is_of_known_family(const fs::path& folder) { return has_known_family(folder / "config.json"); }

int64_t count_parameters(const ModelConfig& config) {
  int64_t sum = 0;
  for (const TensorSpec& spec : tensor_specs(config)) {
    int64_t elements = 1;
    for (const int64_t size : spec.shape) elements *= size;
    sum += elements;
  }
  return sum;
}

}  // namespace unmask
