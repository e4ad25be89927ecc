// The border between the program and the CUDA plug-in, a library loaded at run time, so that the
// program itself needs nothing of CUDA. The plug-in exports two symbols of C.
#pragma once

namespace unmask {

class Backend;
struct CudaOptions;

inline constexpr const char* kPluginFile = "libunmask_cuda.so";

/// const char[]: UNMASK_INTERFACE, a digest of the compiler and of the headers that cross the
/// border. Nothing else is touched unless it is that of the program.
inline constexpr const char* kPluginInterface = "unmask_cuda_interface";

/// PluginEntry: a new backend, owned by the caller; null with `error` filled where there is none.
inline constexpr const char* kPluginEntry = "unmask_cuda_create_backend";

struct PluginRequest {
  const CudaOptions* options = nullptr;
  char error[512] = "";  // why there is no backend
};
using PluginEntry = Backend* (*)(PluginRequest*);

}  // namespace unmask
