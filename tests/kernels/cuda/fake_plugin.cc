// A plug-in whose device is found unless three threads are asked for, and which never gives a
// backend: to see what the program makes of it.
#include <cstring>

#include "kernels/create_backend.h"
#include "kernels/cuda/plugin.h"

extern "C" {

// NOLINTBEGIN(readability-identifier-naming): symbols of C
extern const char unmask_cuda_interface[];
const char unmask_cuda_interface[] = FAKE_INTERFACE;

void unmask_cuda_query(unmask::PluginCall* call) {
  if (call->options->threads == 3) std::strcpy(call->error, "[cuda] three threads");
}

unmask::Backend* unmask_cuda_create_backend(unmask::PluginCall* call) {
  call->code = unmask::ErrorCode::memory;
  std::strcpy(call->error, "[cuda] no backend");
  return nullptr;
}

void unmask_cuda_gather_columns(unmask::PluginCall* /*call*/, unmask::Backend* /*backend*/,
                                const unmask::CutColumns* /*matrices*/, size_t /*count*/) {}
// NOLINTEND(readability-identifier-naming)
}
