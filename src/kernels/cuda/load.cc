// Finds and opens the CUDA plug-in.
#include <cstring>
#include <dlfcn.h>
#include <filesystem>

#include "kernels/create_backend.h"
#include "kernels/cuda/plugin.h"

namespace unmask {

namespace {

namespace fs = std::filesystem;

/// As chosen; else beside the program, else wherever the system looks for libraries.
std::string plugin_path(const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  std::error_code none;
  const fs::path beside = fs::read_symlink("/proc/self/exe", none).parent_path() / kPluginFile;
  return fs::exists(beside, none) ? beside.string() : kPluginFile;
}

void* open_plugin(const std::string& path) {
  // Never closed: its code must outlive every backend and every exception that came out of it.
  void* plugin = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin != nullptr) return plugin;
  const std::string reason = dlerror();
  if (reason.find("No such file") == std::string::npos || reason.find(path) != 0) {
    fail(
        "[cuda] {} does not load: {}; CUDA's libraries must be where the system "
        "finds them; or use --device cpu",
        kPluginFile, reason);
  }
  fail("[cuda] {} not found; build it with CUDA 13 and -DUNMASK_CUDA=ON, or use --device cpu",
       path);
}

}  // namespace

std::unique_ptr<Backend> create_cuda_backend(const CudaOptions& options) {
  const std::string path = plugin_path(options.plugin);
  void* plugin = open_plugin(path);
  const auto* interface = static_cast<const char*>(dlsym(plugin, kPluginInterface));
  void* entry = dlsym(plugin, kPluginEntry);
  if (interface == nullptr || entry == nullptr || std::strcmp(interface, UNMASK_INTERFACE) != 0) {
    fail("[cuda] {} was built for another version of unmask; build both together", path);
  }
  PluginRequest request{.options = &options};
  std::unique_ptr<Backend> backend(reinterpret_cast<PluginEntry>(entry)(&request));
  if (!backend) throw Error(request.error);
  return backend;
}

}  // namespace unmask
