#include "core/list_folder.h"

#include <algorithm>
#include <dirent.h>
#include <memory>
#include <string_view>

namespace unmask {

std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder) {
  const auto close = [](DIR* opened) { closedir(opened); };
  const std::unique_ptr<DIR, decltype(close)> opened(opendir(folder.c_str()), close);
  std::vector<std::filesystem::path> paths;
  while (const dirent* entry = opened ? readdir(opened.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") paths.push_back(folder / name);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace unmask
