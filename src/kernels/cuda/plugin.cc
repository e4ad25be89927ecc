#include "kernels/cuda/plugin.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/device_gather.h"

namespace unmask {
namespace {

void report(PluginCall& call, const char* what, ErrorCode code) {
  const size_t length = std::min(std::strlen(what), sizeof call.error - 1);
  std::memcpy(call.error, what, length);
  call.error[length] = '\0';
  call.code = code;
}

/// Runs `work`; what it throws stays in the call.
template <typename Work>
void guarded(PluginCall& call, const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    report(call, error.what(), error.code());
  } catch (const std::exception& error) {
    report(call, error.what(), ErrorCode::other);
  }
}

}  // namespace
}  // namespace unmask

#pragma GCC visibility push(default)
extern "C" {

// NOLINTBEGIN(readability-identifier-naming): symbols of C
extern const char unmask_cuda_interface[];
const char unmask_cuda_interface[] = UNMASK_INTERFACE;

void unmask_cuda_query(unmask::PluginCall* call) {
  unmask::guarded(*call, [&] {
    unmask::cuda::require_device();
    if (call->options->ranks != nullptr) unmask::cuda::require_device_ranks();
  });
}

unmask::Backend* unmask_cuda_create_backend(unmask::PluginCall* call) {
  unmask::Backend* backend = nullptr;
  unmask::guarded(*call, [&] { backend = unmask::cuda::create_backend(*call->options).release(); });
  return backend;
}

void unmask_cuda_gather_columns(unmask::PluginCall* call, unmask::Backend* backend,
                                const unmask::CutColumns* matrices, size_t count) {
  unmask::guarded(*call, [&] { unmask::cuda::gather_columns(*backend, {matrices, count}); });
}
// NOLINTEND(readability-identifier-naming)

}  // extern "C"
#pragma GCC visibility pop
