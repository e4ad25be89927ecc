// Which kernels a processor of x86-64 gets.
#include "kernels/cpu/variants.h"

#include <gtest/gtest.h>

#include "support/error_of.h"

namespace unmask {
namespace {

using testing::error_of;

class KernelChoice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cpu::kernel_variants().size() < 3) GTEST_SKIP() << "this build has one set alone";
  }
};

TEST_F(KernelChoice, TheBestIsTheFirstWhoseInstructionsAreAllThere) {
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
  EXPECT_EQ(cpu::select_variant(
                "", {.avx2_fma = true, .avx512 = true, .bf16_dot = true, .vnni = true, .amx = true})
                .name,
            "amx");
  // dot products alone do not make a set
  EXPECT_EQ(cpu::select_variant("", {.bf16_dot = true, .vnni = true}).name, "plain");
}

TEST_F(KernelChoice, ANameThatTheProcessorCannotRunIsAnErrorThatSaysWhatIsMissing) {
  EXPECT_EQ(cpu::select_variant("plain", {}).name, "plain");
  EXPECT_EQ(error_of([] { cpu::select_variant("avx512", {.avx2_fma = true}); }),
            "[cpu] kernels 'avx512': this processor lacks AVX-512");
  EXPECT_EQ(error_of([] { cpu::select_variant("avx512_bf16", {.avx2_fma = true, .vnni = true}); }),
            "[cpu] kernels 'avx512_bf16': this processor lacks AVX-512, AVX-512 BF16");
  EXPECT_EQ(error_of([] { cpu::select_variant("avx2_vnni", {.avx2_fma = true, .vnni = true}); }),
            "[cpu] kernels 'avx2_vnni': this processor lacks AVX-VNNI");
  EXPECT_EQ(error_of([] { cpu::select_variant("sse9", {}); }),
            "[cpu] kernels 'sse9': not in this build, expected one of: amx avx512_bf16 avx512_vnni "
            "avx512 "
            "avx2_vnni avx2 "
            "plain");
}

}  // namespace
}  // namespace unmask
