// The border between the program and the CUDA plug-in, a library loaded at run time, so that the
// program itself needs nothing of CUDA. The plug-in exports four symbols of C.
#pragma once

#include <cstddef>

#include "core/error.h"

namespace unmask {

class Backend;
struct CudaOptions;
struct CutColumns;

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

/// PluginQuery: leaves an error where there is no device that a backend could use, or no NCCL for
/// its ranks. Builds none.
inline constexpr const char* kPluginQuery = "unmask_cuda_query";
using PluginQuery = void (*)(PluginCall*);

/// PluginEntry: a new backend, owned by the caller; null with an error where there is none.
inline constexpr const char* kPluginEntry = "unmask_cuda_create_backend";
using PluginEntry = Backend* (*)(PluginCall*);

/// PluginGather: completes `count` matrices in the memory of a backend of the entry that has ranks.
inline constexpr const char* kPluginGather = "unmask_cuda_gather_columns";
using PluginGather = void (*)(PluginCall*, Backend*, const CutColumns* matrices, size_t count);

}  // namespace unmask
