#include "io/model_folder.h"

#include <algorithm>

#include "core/error.h"
#include "core/list_folder.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/open_file.h"
#include "io/containers/packed_file.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

/// A packed file and the name of something inside it.
struct Inside {
  fs::path packed;
  std::string name;
};

std::optional<Inside> find_inside(const fs::path& file) {
  fs::path name = file.filename();
  for (fs::path folder = file.parent_path(); !folder.empty(); folder = folder.parent_path()) {
    if (is_packed_file(folder)) return Inside{folder, name.generic_string()};
    std::error_code none;
    if (fs::exists(folder, none) || folder == folder.parent_path()) break;
    name = folder.filename() / name;
  }
  return std::nullopt;
}

}  // namespace

bool has_file(const fs::path& file) {
  if (may_exist(file)) return true;
  const auto inside = find_inside(file);
  return inside && PackedDescription(inside->packed).files().contains(inside->name);
}

bool is_model_folder(const fs::path& model) {
  std::error_code none;
  return fs::is_directory(model, none) || is_packed_file(model);
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> found = list_folder(folder);
  if (const auto inside = find_inside(folder); inside && found.empty()) {
    const PackedDescription packed(inside->packed);
    for (const auto& [name, text] : packed.files()) {
      const fs::path file = name;
      if (file.parent_path() == inside->name) found.push_back(inside->packed / file);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::string> read_inside_packed(const fs::path& file, size_t max_bytes) {
  const auto inside = find_inside(file);
  if (!inside) return std::nullopt;
  const PackedDescription packed(inside->packed);
  const auto found = packed.files().find(inside->name);
  if (found == packed.files().end()) {
    fail("[file] {}: {} holds no such file", printable(file.string(), 300),
         inside->packed.string());
  }
  if (found->second.size() > max_bytes) {
    fail("[file] {}: {} bytes, at most {} are read", file.string(), found->second.size(),
         max_bytes);
  }
  return std::string(found->second);
}

bool has_gguf_metadata(const fs::path& model) {
  return is_gguf_file(model) || (is_packed_file(model) && has_file(model / kPackedMetadata));
}

}  // namespace unmask
