// The border between the program and the CUDA plug-in, a library loaded at run time, so that the
// program itself needs nothing of CUDA. The plug-in exports three symbols of C.
#pragma once

#include "core/error.h"

namespace unmask {

class Backend;
struct CudaOptions;

inline constexpr const char* kPluginFile = "libunmask_cuda.so";

/// const char[]: UNMASK_INTERFACE, a digest of the compiler and of the headers that cross the
/// border. Nothing else is touched unless it is that of the program.
inline constexpr const char* kPluginInterface = "unmask_cuda_interface";

/// What a call across the border is given and what it says: no exception crosses a border of C.
struct PluginCall {
  const CudaOptions* options = nullptr;
  ErrorCode code = ErrorCode::other;
  char error[512] = "";  // empty: none
};

/// PluginQuery: leaves an error where there is no device that a backend could use. Builds none.
inline constexpr const char* kPluginQuery = "unmask_cuda_query";
using PluginQuery = void (*)(PluginCall*);

/// PluginEntry: a new backend, owned by the caller; null with an error where there is none.
inline constexpr const char* kPluginEntry = "unmask_cuda_create_backend";
using PluginEntry = Backend* (*)(PluginCall*);

}  // namespace unmask
