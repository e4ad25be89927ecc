#include "kernels/cuda/plugin.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "kernels/cuda/backend.h"

#define UNMASK_EXPORT extern "C" __attribute__((visibility("default")))

// NOLINTNEXTLINE(readability-identifier-naming): a symbol of C
UNMASK_EXPORT const char unmask_cuda_interface[] = UNMASK_INTERFACE;

UNMASK_EXPORT unmask::Backend* unmask_cuda_create_backend(unmask::PluginRequest* request) {
  try {
    return unmask::cuda::create_backend(*request->options).release();
  } catch (const std::exception& error) {
    // No exception crosses a border of C.
    const size_t length = std::min(std::strlen(error.what()), sizeof request->error - 1);
    std::memcpy(request->error, error.what(), length);
    request->error[length] = '\0';
  }
  return nullptr;
}
