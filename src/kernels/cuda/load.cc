// Calls the CUDA plug-in.
#include "core/plugin.h"
#include "kernels/create_backend.h"
#include "kernels/cuda/plugin.h"
#include "kernels/ranks/output_split.h"

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
  if (options.ranks == nullptr) return backend;
  const auto gather = function_of<PluginGather>(options, kPluginGather);
  Backend* const own = backend.get();
  return create_output_split(std::move(backend), *options.ranks,
                             [gather, own](std::span<const CutColumns> matrices) {
                               PluginCall gathering{};
                               gather(&gathering, own, matrices.data(), matrices.size());
                               if (*gathering.error != '\0') {
                                 throw Error(gathering.error, gathering.code);
                               }
                             });
}

}  // namespace unmask
