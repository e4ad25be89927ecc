// cuDNN, loaded when it is first asked for: nothing else needs it, and it may be missing.
#pragma once

#include <cudnn.h>

namespace unmask::cuda {

/// The functions of its graph API.
struct CudnnLibrary {
  decltype(&cudnnCreate) create;
  decltype(&cudnnDestroy) destroy;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnGetErrorString) error_string;
  decltype(&cudnnGetLastErrorString) last_error;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor;
  decltype(&cudnnBackendSetAttribute) set_attribute;
  decltype(&cudnnBackendGetAttribute) get_attribute;
  decltype(&cudnnBackendFinalize) finalize;
  decltype(&cudnnBackendExecute) execute;
};

/// Throws Error where the system has no cuDNN 9.
const CudnnLibrary& cudnn();

}  // namespace unmask::cuda
