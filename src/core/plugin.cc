#include "core/plugin.h"

#include <cstring>
#include <dlfcn.h>
#include <filesystem>

#include "core/platform/loaded_file.h"

namespace unmask {

namespace {

namespace fs = std::filesystem;

/// As chosen, else beside this code, else where a program in PREFIX/bin has its libraries: by its
/// whole path, because a mere name would be looked for in the folders of LD_LIBRARY_PATH, and an
/// empty one among them is the current folder.
std::string path_of(const PluginKind& kind, const std::string& chosen) {
  std::error_code error;
  if (!chosen.empty()) return fs::absolute(chosen, error).string();
  const fs::path own = loaded_file(reinterpret_cast<const void*>(&path_of));
  if (own.empty()) {
    fail(kind.code, "[{}] {}: the program's folder is not known", kind.area, kind.file);
  }
  const fs::path folder = own.parent_path();
  const fs::path installed = folder.parent_path() / UNMASK_LIBRARY_FOLDER / kind.file;
  const bool is_beside = fs::exists(folder / kind.file, error);
  return (!is_beside && fs::exists(installed, error) ? installed : folder / kind.file).string();
}

}  // namespace

void* open_plugin(const PluginKind& kind, const std::string& chosen) {
  const std::string path = path_of(kind, chosen);
  void* plugin = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    const std::string reason = dlerror();
    if (reason.find("No such file") == std::string::npos || reason.find(path) != 0) {
      fail(kind.code, "[{}] {} does not load: {}; {} must be where the system finds them",
           kind.area, kind.file, reason, kind.needs);
    }
    fail(kind.code, "[{}] {} not found; {}", kind.area, path, kind.build_it);
  }
  const auto* interface = static_cast<const char*>(dlsym(plugin, kind.interface));
  if (interface == nullptr || std::strcmp(interface, UNMASK_INTERFACE) != 0) {
    fail(kind.code, "[{}] {} was built for another version of unmask; build both together",
         kind.area, path);
  }
  return plugin;
}

void* plugin_function(void* plugin, const char* name) {
  void* function = dlsym(plugin, name);
  UNMASK_CHECK(function != nullptr, "a plug-in of this build has all functions");
  return function;
}

}  // namespace unmask
