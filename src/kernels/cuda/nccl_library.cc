#include "kernels/cuda/nccl_library.h"

#include <dlfcn.h>

#include "core/error.h"

namespace unmask::cuda {

namespace {

constexpr const char* kNcclFile = "libnccl.so.2";
constexpr const char* kNcclAdvice =
    "install NCCL 2 where the loader finds it, or compute with --device cpu";

template <typename Function>
void find_nccl(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) {
    fail(ErrorCode::device, "[nccl] {} has no {}; {}", kNcclFile, name, kNcclAdvice);
  }
}

NcclLibrary load_nccl() {
  void* library = dlopen(kNcclFile, RTLD_NOW | RTLD_LOCAL);  // never closed: its threads go on
  if (library == nullptr) fail(ErrorCode::device, "[nccl] {}; {}", dlerror(), kNcclAdvice);
  NcclLibrary found{};
  find_nccl(library, "ncclGetUniqueId", found.get_unique_id);
  find_nccl(library, "ncclCommInitRank", found.comm_init_rank);
  find_nccl(library, "ncclCommGetAsyncError", found.comm_get_async_error);
  find_nccl(library, "ncclCommAbort", found.comm_abort);
  find_nccl(library, "ncclCommDestroy", found.comm_destroy);
  find_nccl(library, "ncclGetErrorString", found.get_error_string);
  find_nccl(library, "ncclGroupStart", found.group_start);
  find_nccl(library, "ncclGroupEnd", found.group_end);
  find_nccl(library, "ncclAllGather", found.all_gather);
  find_nccl(library, "ncclBroadcast", found.broadcast);
  return found;
}

}  // namespace

const NcclLibrary& nccl() {
  static const NcclLibrary library = load_nccl();
  return library;
}

}  // namespace unmask::cuda
