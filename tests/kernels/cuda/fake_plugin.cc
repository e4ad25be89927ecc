// A plug-in without a device, to see what the program makes of it.
#include <cstring>

#include "kernels/create_backend.h"
#include "kernels/cuda/plugin.h"

extern "C" {

// NOLINTNEXTLINE(readability-identifier-naming): a symbol of C
extern const char unmask_cuda_interface[];
// NOLINTNEXTLINE(readability-identifier-naming)
const char unmask_cuda_interface[] = FAKE_INTERFACE;

unmask::Backend* unmask_cuda_create_backend(unmask::PluginRequest* request) {
  std::strcpy(request->error,
              request->options->threads == 3 ? "[cuda] three threads" : "[cuda] other");
  return nullptr;
}
}
