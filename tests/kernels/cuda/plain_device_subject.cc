// The CUDA backend on a device of host memory, for the common suite.
#include "kernels/backend_subject.h"
#include "kernels/cuda/backend.h"

namespace unmask {
namespace {

[[maybe_unused]] const bool kAdded =
    testing::add_subject({.name = "cuda_on_a_plain_device",
                          .make = [] { return cuda::create_backend({.threads = 2}); },
                          .narrow_weights = true,
                          .narrow_inputs = true,
                          .narrow_attention = true,
                          .narrow_results = true});

}  // namespace
}  // namespace unmask
