// Matrix products next to the limits of one thread. For each type of weights, shape and number of
// rows: operations per second, and their ratio to the peak of the instruction that multiplies them
// ("of_peak"), or for one row the ratio of the weights' bytes per second to reading memory
// ("of_read"). Peaks are measured beside each case, times are medians of the thread's processor
// time, and the inputs' packing counts. Also the weights that a second packs, and of GGUF files the
// bytes.
#include "bench/ceilings.h"
#include "kernels/cpu/block_layout.h"
#include "product_cases.h"

namespace unmask::benchmarks {
namespace {

Kind own(std::string name, WeightType weights, double (*peak)(int threads),
         std::optional<BlockFormat> blocks = {}) {
  const auto create = [weights](const cpu::KernelTable& table, ThreadPool& pool) {
    return cpu::create_packed_products(weights, table, pool);
  };
  return {std::move(name), create, peak, blocks};
}

/// From here on codes take int8's instruction.
constexpr int kLargeCode = 128;

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds{
      own("f32", WeightType::f32, f32_ceiling), own("bf16", WeightType::bf16, bf16_ceiling),
      own("int8", WeightType::int8, int8_ceiling), own("int4", WeightType::int4, int4_ceiling)};
  for (int i = 0; i < kBlockFormats; ++i) {
    const auto format = static_cast<BlockFormat>(i);
    const bool small = cpu::largest_code(cpu::kBlockLayouts[i]) < kLargeCode;
    kinds.push_back(own(std::string(block_traits(format).name), WeightType::stored,
                        small ? int4_ceiling : int8_ceiling, format));
  }
  return kinds;
}

}  // namespace
}  // namespace unmask::benchmarks

int main(int argc, char** argv) {
  return unmask::benchmarks::run_products(argc, argv, unmask::benchmarks::all_kinds());
}
