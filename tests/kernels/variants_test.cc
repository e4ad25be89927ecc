// Which kernels are taken: by what the processor has, by name, and by the environment.
#include "kernels/cpu/variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "support/environment.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

template <typename Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(KernelVariants, TheBestIsTheFirstWhoseInstructionsAreAllThere) {
  EXPECT_EQ(cpu::select_variant("", {}).name, "plain");
  EXPECT_EQ(cpu::select_variant("", {.avx2_fma = true}).name, "avx2");
  EXPECT_EQ(cpu::select_variant("", {.avx2_fma = true, .avx_vnni = true}).name, "avx2_vnni");
  EXPECT_EQ(cpu::select_variant("", {.avx2_fma = true, .avx512 = true}).name, "avx512");
  EXPECT_EQ(cpu::select_variant("", {.avx2_fma = true, .avx512 = true, .vnni = true}).name,
            "avx512_vnni");
  EXPECT_EQ(
      cpu::select_variant("", {.avx2_fma = true, .avx512 = true, .bf16_dot = true, .vnni = true})
          .name,
      "avx512_bf16");
  // dot products alone do not make a set
  EXPECT_EQ(cpu::select_variant("", {.bf16_dot = true, .vnni = true}).name, "plain");
}

TEST(KernelVariants, ANameThatTheProcessorCannotRunIsAnErrorThatSaysWhatIsMissing) {
  EXPECT_EQ(cpu::select_variant("plain", {}).name, "plain");
  EXPECT_EQ(error_of([] { cpu::select_variant("avx512", {.avx2_fma = true}); }),
            "[cpu] kernels 'avx512': this processor lacks AVX-512");
  EXPECT_EQ(error_of([] { cpu::select_variant("avx512_bf16", {.avx2_fma = true, .vnni = true}); }),
            "[cpu] kernels 'avx512_bf16': this processor lacks AVX-512, AVX-512 BF16");
  EXPECT_EQ(error_of([] { cpu::select_variant("avx2_vnni", {.avx2_fma = true, .vnni = true}); }),
            "[cpu] kernels 'avx2_vnni': this processor lacks AVX-VNNI");
  EXPECT_EQ(error_of([] { cpu::select_variant("sse9", {}); }),
            "[cpu] kernels 'sse9': unknown, expected one of: avx512_bf16 avx512_vnni avx512 "
            "avx2_vnni avx2 "
            "plain");
}

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
  EXPECT_THAT(error_of([] { create_cpu_backend({.threads = 1}); }), HasSubstr("'sse9': unknown"));
}

}  // namespace
}  // namespace unmask
