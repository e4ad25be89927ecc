// Which kernels a processor of ARM64 gets.
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
  EXPECT_EQ(cpu::select_variant("", {}).name, "neon");
  EXPECT_EQ(cpu::select_variant("", {.dotprod = true}).name, "neon_dotprod");
  EXPECT_EQ(cpu::select_variant("", {.dotprod = true, .bf16_matrices = true}).name, "neon_dotprod");
  EXPECT_EQ(cpu::select_variant("", {.dotprod = true, .i8mm = true}).name, "neon_i8mm");
  EXPECT_EQ(cpu::select_variant("", {.dotprod = true, .i8mm = true, .bf16_matrices = true}).name,
            "neon_bf16");
}

TEST_F(KernelChoice, ANameThatTheProcessorCannotRunIsAnErrorThatSaysWhatIsMissing) {
  EXPECT_EQ(cpu::select_variant("plain", {}).name, "plain");
  EXPECT_EQ(error_of([] { cpu::select_variant("neon_dotprod", {}); }),
            "[cpu] kernels 'neon_dotprod': this processor lacks DotProd");
  EXPECT_EQ(error_of([] { cpu::select_variant("neon_bf16", {.dotprod = true}); }),
            "[cpu] kernels 'neon_bf16': this processor lacks I8MM, BF16");
  EXPECT_EQ(error_of([] { cpu::select_variant("avx2", {}); }),
            "[cpu] kernels 'avx2': not in this build, expected one of: neon_bf16 neon_i8mm "
            "neon_dotprod neon "
            "plain");
}

}  // namespace
}  // namespace unmask
