// Calls the CUDA plug-in.
#include "core/plugin.h"
#include "kernels/create_backend.h"
#include "kernels/cuda/plugin.h"

namespace unmask {

namespace {

constexpr PluginKind kCuda{.area = "cuda",
                           .file = kPluginFile,
                           .interface = kPluginInterface,
                           .needs = "CUDA's libraries",
                           .build_it = "build it with CUDA 13 and -DUNMASK_CUDA=ON",
                           .code = ErrorCode::device};

template <typename Function>
Function function_of(const CudaOptions& options, const char* name) {
  return reinterpret_cast<Function>(plugin_function(open_plugin(kCuda, options.plugin), name));
}

}  // namespace

std::string missing_cuda_device(const CudaOptions& options) {
  try {
    PluginCall call{.options = &options};
    function_of<PluginQuery>(options, kPluginQuery)(&call);
    return call.error;
  } catch (const Error& error) {
    return error.what();
  }
}

std::unique_ptr<Backend> create_cuda_backend(const CudaOptions& options) {
  PluginCall call{.options = &options};
  std::unique_ptr<Backend> backend(function_of<PluginEntry>(options, kPluginEntry)(&call));
  if (!backend) throw Error(call.error, call.code);
  return backend;
}

}  // namespace unmask
