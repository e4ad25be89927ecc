#include "kernels/cuda/cudnn_library.h"

#include <dlfcn.h>

#include "core/error.h"

namespace unmask::cuda {

namespace {

constexpr const char* kFile = "libcudnn.so.9";
constexpr const char* kGraphFile = "libcudnn_graph.so.9";

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) fail("[cudnn] {} has no {}; install cuDNN 9", kFile, name);
}

CudnnLibrary load() {
  // Never closed: its code must outlive every plan. The first ends the process where the second,
  // which it opens by itself, is missing.
  void* library = dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr || dlopen(kGraphFile, RTLD_NOW | RTLD_LOCAL) == nullptr) {
    fail("[cudnn] {}; install cuDNN 9", dlerror());
  }
  CudnnLibrary found{};
  find(library, "cudnnCreate", found.create);
  find(library, "cudnnDestroy", found.destroy);
  find(library, "cudnnSetStream", found.set_stream);
  find(library, "cudnnGetErrorString", found.error_string);
  find(library, "cudnnGetLastErrorString", found.last_error);
  find(library, "cudnnBackendCreateDescriptor", found.create_descriptor);
  find(library, "cudnnBackendDestroyDescriptor", found.destroy_descriptor);
  find(library, "cudnnBackendSetAttribute", found.set_attribute);
  find(library, "cudnnBackendGetAttribute", found.get_attribute);
  find(library, "cudnnBackendFinalize", found.finalize);
  find(library, "cudnnBackendExecute", found.execute);
  return found;
}

}  // namespace

const CudnnLibrary& cudnn() {
  static const CudnnLibrary library = load();
  return library;
}

}  // namespace unmask::cuda
