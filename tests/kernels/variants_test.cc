// Which kernels are taken: by name, and by the environment. Those of each processor: see the
// folders.
#include "kernels/cpu/variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "support/environment.h"
#include "support/error_of.h"

namespace unmask {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(KernelVariants, TwoBackendsOfOneProcessMayDiffer) {
  const auto best = create_cpu_backend({.threads = 1, .kernels = cpu_kernel_names().front()});
  const auto plain = create_cpu_backend({.threads = 1, .kernels = "plain"});
  EXPECT_THAT(best->describe(), HasSubstr("cpu " + cpu_kernel_names().front()));
  EXPECT_THAT(plain->describe(), HasSubstr("cpu plain"));
}

TEST(Environment, FillsTheDefaultsOfOptionsOnly) {
  const testing::EnvironmentVariable isa("UNMASK_ISA", "plain");
  const testing::EnvironmentVariable plugin("UNMASK_CUDA_PLUGIN", "/nowhere/cuda.so");
  const testing::EnvironmentVariable attention("UNMASK_CUDA_ATTENTION", "cudnn");
  const testing::EnvironmentVariable steps("UNMASK_CUDA_STEPS", "queue");
  const testing::EnvironmentVariable tune("UNMASK_CUDA_TUNE", "off");
  EXPECT_THAT(create_cpu_backend({.threads = 1})->describe(), HasSubstr("cpu plain"));
  EXPECT_THAT(create_cpu_backend({.threads = 1, .kernels = ""})->describe(),
              HasSubstr("cpu " + cpu_kernel_names().front()));
  const CudaOptions options;
  EXPECT_EQ(options.plugin, "/nowhere/cuda.so");
  EXPECT_EQ(options.attention, CudaAttention::cudnn);
  EXPECT_EQ(options.steps, CudaSteps::queue);
  EXPECT_FALSE(options.tunes);
}

TEST(Environment, UnknownValuesAreErrors) {
  const auto options = [] { return CudaOptions{}; };
  {
    const testing::EnvironmentVariable held("UNMASK_CUDA_ATTENTION", "flash");
    EXPECT_EQ(error_of(options),
              "[environment] UNMASK_CUDA_ATTENTION: found 'flash', expected own or cudnn");
  }
  {
    const testing::EnvironmentVariable held("UNMASK_CUDA_STEPS", "off");
    EXPECT_EQ(error_of(options),
              "[environment] UNMASK_CUDA_STEPS: found 'off', expected graph or queue or host");
  }
  const testing::EnvironmentVariable tune("UNMASK_CUDA_TUNE", "perhaps");
  EXPECT_THAT(error_of(options), HasSubstr("UNMASK_CUDA_TUNE: found 'perhaps'"));
  const testing::EnvironmentVariable isa("UNMASK_ISA", "sse9");
  EXPECT_THAT(error_of([] { create_cpu_backend({.threads = 1}); }),
              HasSubstr("'sse9': not in this build"));
}

}  // namespace
}  // namespace unmask
