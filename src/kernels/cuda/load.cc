// Finds and opens the CUDA plug-in.
#include <cstring>
#include <dlfcn.h>
#include <filesystem>

#include "core/platform/loaded_file.h"
#include "kernels/create_backend.h"
#include "kernels/cuda/plugin.h"

namespace unmask {

namespace {

namespace fs = std::filesystem;

/// As chosen, else beside this code, else where a program in PREFIX/bin has its libraries: by its
/// whole path, because a mere name would be looked for in the folders of LD_LIBRARY_PATH, and an
/// empty one among them is the current folder.
std::string plugin_path(const std::string& chosen) {
  std::error_code error;
  if (!chosen.empty()) return fs::absolute(chosen, error).string();
  const fs::path own = loaded_file(reinterpret_cast<const void*>(&plugin_path));
  if (own.empty())
    fail(ErrorCode::device, "[cuda] {}: the program's folder is not known", kPluginFile);
  const fs::path folder = own.parent_path();
  const fs::path installed = folder.parent_path() / UNMASK_LIBRARY_FOLDER / kPluginFile;
  const bool is_beside = fs::exists(folder / kPluginFile, error);
  return (!is_beside && fs::exists(installed, error) ? installed : folder / kPluginFile).string();
}

void* open_plugin(const std::string& path) {
  // Never closed: its code must outlive every backend and every exception that came out of it.
  void* plugin = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin != nullptr) return plugin;
  const std::string reason = dlerror();
  if (reason.find("No such file") == std::string::npos || reason.find(path) != 0) {
    fail(ErrorCode::device,
         "[cuda] {} does not load: {}; CUDA's libraries must be where the system finds them",
         kPluginFile, reason);
  }
  fail(ErrorCode::device, "[cuda] {} not found; build it with CUDA 13 and -DUNMASK_CUDA=ON", path);
}

/// The functions of an opened plug-in of this build.
struct Plugin {
  explicit Plugin(const std::string& path) {
    void* library = open_plugin(path);
    const auto* interface = static_cast<const char*>(dlsym(library, kPluginInterface));
    if (interface == nullptr || std::strcmp(interface, UNMASK_INTERFACE) != 0) {
      fail(ErrorCode::device,
           "[cuda] {} was built for another version of unmask; build both together", path);
    }
    query = reinterpret_cast<PluginQuery>(dlsym(library, kPluginQuery));
    create = reinterpret_cast<PluginEntry>(dlsym(library, kPluginEntry));
    UNMASK_CHECK(query != nullptr && create != nullptr,
                 "a plug-in of this build has all functions");
  }

  PluginQuery query;
  PluginEntry create;
};

}  // namespace

std::string missing_cuda_device(const CudaOptions& options) {
  try {
    PluginCall call{.options = &options};
    Plugin(plugin_path(options.plugin)).query(&call);
    return call.error;
  } catch (const Error& error) {
    return error.what();
  }
}

std::unique_ptr<Backend> create_cuda_backend(const CudaOptions& options) {
  PluginCall call{.options = &options};
  std::unique_ptr<Backend> backend(Plugin(plugin_path(options.plugin)).create(&call));
  if (!backend) throw Error(call.error, call.code);
  return backend;
}

}  // namespace unmask
