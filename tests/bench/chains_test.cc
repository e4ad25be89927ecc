// The loops that ceilings are measured with run under the instructions that they name.
#include "bench/chains.h"

#include <gtest/gtest.h>

#include "kernels/create_backend.h"

namespace unmask {
namespace {

TEST(Chains, OfEveryKernelsRunAndMultiplyMoreOfSmallerNumbers) {
  for (const std::string& kernels : cpu_kernel_names()) {
    SCOPED_TRACE(kernels);
    const ProcessorTraits instructions = cpu_capabilities(kernels).instructions;
    double products = 0;
    for (const auto chain_of : {f32_chain, bf16_chain, int8_chain}) {
      const Chain chain = chain_of(instructions);
      if (chain.run == nullptr) GTEST_SKIP() << "this processor has no fused multiply-adds";
      chain.run();
      EXPECT_GE(chain.products, products);
      products = chain.products;
    }
    EXPECT_GE(int4_chain(instructions).products, products);
  }
}

}  // namespace
}  // namespace unmask
