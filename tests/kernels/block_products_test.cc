// Products of matrices in blocks under every instruction set: nothing of a weight is lost, inputs
// become 8 bits, and all sets give the same bits.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "core/block_levels.h"
#include "core/parallel.h"
#include "kernels/cpu/block_layout.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/weight_layout.h"
#include "kernels/create_backend.h"
#include "kernels/product_kernels.h"
#include "kernels/random_blocks.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomBlocks;
using testing::RandomTensor;

/// Reads panels as block_layout.h describes them, one weight at a time.
class Panel {
 public:
  Panel(const cpu::BlockLayout& layout, const std::byte* panel)
      : layout_(layout), bytes_(reinterpret_cast<const uint8_t*>(panel)) {}

  /// The weight of column `c` at depth `k`, in the roundings of dequantize().
  float weight(int c, int k) const {
    const uint8_t* super = bytes_ + int64_t{k / 256} * layout_.super_bytes();
    const int in_super = k % 256;
    const uint8_t* group = super + layout_.head_bytes() + in_super / 32 * layout_.group_bytes();
    const auto value = static_cast<float>(level(group, c, in_super % 32));
    const uint8_t* own = group + layout_.code_bytes();
    if (layout_.scales != cpu::Scales::int8) {
      const float scale =
          layout_.scales == cpu::Scales::f16 ? half(own + 2 * c) : read<float>(own + 4 * c);
      const float product = scale * value;
      return layout_.mins == cpu::Mins::none ? product
                                             : product - half(own + layout_.scale_bytes() + 2 * c);
    }
    const int g = in_super / layout_.group;
    const uint8_t* mins = super + layout_.numbers();
    const uint8_t* halves = layout_.mins == cpu::Mins::none ? mins : mins + layout_.numbers();
    const auto whole = static_cast<float>(static_cast<int8_t>(super[g * 32 + c]));
    const float scale = half(halves + 2 * c) * whole;
    const float product = scale * value;
    if (layout_.mins == cpu::Mins::none) return product;
    const float min =
        half(halves + 64 + 2 * c) * static_cast<float>(mins[(g / 2 * 32 + c) * 2 + g % 2]);
    return product - min;
  }

 private:
  template <typename T>
  static T read(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static float half(const uint8_t* from) { return f16_to_f32(read<uint16_t>(from)); }

  int level(const uint8_t* group, int c, int k) const {
    const int quad = k / 4;
    const int lane = 4 * c + k % 4;
    if (layout_.codes == cpu::Codes::bytes) return group[quad * 128 + lane] - layout_.offset;
    const int both = group[quad / 2 * 128 + lane];
    int code = quad % 2 == 0 ? both % 16 : both / 16;
    if (layout_.codes == cpu::Codes::iq4) return kIq4Levels[code];
    if (layout_.codes == cpu::Codes::mxfp4) return kMxfp4Levels[code];
    if (layout_.codes == cpu::Codes::fives) code += 16 * (group[512 + lane] >> quad & 1);
    if (layout_.codes == cpu::Codes::sixes) {
      code += 16 * (group[512 + quad / 4 * 128 + lane] >> (2 * (quad % 4)) & 3);
    }
    return code - layout_.offset;
  }

  const cpu::BlockLayout& layout_;
  const uint8_t* bytes_;
};

bool comes_in_256s(BlockFormat format) { return block_traits(format).elements == 256; }

TEST(BlockPacking, MovesEveryWeightExactly) {
  std::mt19937 random(5);
  const cpu::KernelTable& table = testing::kernel_table("plain");
  for (const BlockFormat format : testing::block_formats()) {
    SCOPED_TRACE(testing::test_name(format));
    const cpu::WeightLayout& layout = cpu::layout_of(format);
    for (const int in : {32, 96, 256, 512, 800, 1024}) {
      if (comes_in_256s(format) && in % 256 != 0) continue;
      const RandomBlocks blocks(random, format, 32 + 7, in);
      const std::vector<float> values = blocks.values();
      for (const Range outputs : {Range{0, 32}, Range{32, 39}}) {
        std::vector<std::byte> panel(layout.panel_bytes(in));
        layout.pack(blocks.matrix(), outputs, in, table, panel.data());
        const Panel packed(cpu::kBlockLayouts[static_cast<size_t>(format)], panel.data());
        for (int c = 0; c < 32; ++c) {
          for (int k = 0; k < in; ++k) {
            const float weight = packed.weight(c, k);
            if (c >= outputs.size()) {
              ASSERT_EQ(weight, 0.0F) << c << ", " << k;
              continue;
            }
            const auto at = static_cast<size_t>(outputs.begin + c) * static_cast<size_t>(in);
            ASSERT_EQ(std::bit_cast<uint32_t>(weight),
                      std::bit_cast<uint32_t>(values[at + static_cast<size_t>(k)]))
                << c << ", " << k;
          }
        }
      }
    }
  }
}

using FormatCase = std::tuple<std::string, BlockFormat>;

class BlockProducts : public ::testing::TestWithParam<FormatCase> {
 protected:
  static BlockFormat format() { return std::get<1>(GetParam()); }
  static std::unique_ptr<cpu::Products> create(const std::string& isa, ThreadPool& pool) {
    return cpu::create_packed_products(WeightType::stored, testing::kernel_table(isa), pool);
  }
  static std::unique_ptr<cpu::Products> create(ThreadPool& pool) {
    return create(std::get<0>(GetParam()), pool);
  }
  /// What a product leaves in memory that held `before`.
  static RandomTensor product(cpu::Products& by, const HostMatrix& w, Tensor x, Tensor bias,
                              const RandomTensor& before, Into into = Into::store) {
    RandomTensor y(before);
    const auto packed = by.pack(w);
    const LinearMap map{packed.get(), y.view(), bias, into};
    by.multiply(x, std::span(&map, 1));
    return y;
  }
  std::vector<int> depths() const {
    return comes_in_256s(format()) ? std::vector{256, 768} : std::vector{32, 64, 256, 864};
  }

  std::mt19937 random_{7};
};

TEST_P(BlockProducts, AreTheSameUnderEveryInstructionSetAndNumberOfThreads) {
  ThreadPool one(1);
  const auto plain = create("plain", one);
  for (const int in : depths()) {
    for (const int rows : {1, 2, 5, 6, 7, 13, 24, 40, 260}) {
      const int out = 1 + static_cast<int>(random_() % 100);
      SCOPED_TRACE(fmt::format("{} x {} x {}", rows, in, out));
      const RandomBlocks w(random_, format(), out, in);
      const RandomTensor x(random_, rows, in, 3);
      const RandomTensor bias(random_, 1, out);
      const RandomTensor before(random_, rows, out, 5);
      const Into into = rows % 2 == 0 ? Into::add : Into::store;
      const RandomTensor expected =
          product(*plain, w.matrix(), x.view(), bias.view(), before, into);
      ThreadPool pool(1 + rows % 3);
      const RandomTensor found =
          product(*create(pool), w.matrix(), x.view(), bias.view(), before, into);
      for (size_t i = 0; i < found.values().size(); ++i) {
        ASSERT_EQ(std::bit_cast<uint32_t>(found.values()[i]),
                  std::bit_cast<uint32_t>(expected.values()[i]))
            << i;
      }
    }
  }
}

/// Of normally distributed inputs, 8 bits by 256 lose 0.7 %: the largest of 256 is 2.8 times their
/// deviation, half a step of 127 of it in the mean of squares 0.0064, and the tail of the maximum.
TEST_P(BlockProducts, LoseOnlyWhatEightBitsOfInputsLose) {
  ThreadPool pool(2);
  const int in = 1024;
  const int out = 64;
  const RandomBlocks w(random_, format(), out, in);
  const std::vector<float> values = w.values();
  const RandomTensor x(random_, 16, in);
  const RandomTensor y =
      product(*create(pool), w.matrix(), x.view(), {}, RandomTensor(random_, 16, out));
  double error = 0;
  double size = 0;
  for (int r = 0; r < 16; ++r) {
    for (int o = 0; o < out; ++o) {
      double sum = 0;
      for (int k = 0; k < in; ++k) {
        sum += double{x.view().f32(r)[k]} * double{values[static_cast<size_t>(o * in + k)]};
      }
      error += std::pow(y.view().f32(r)[o] - sum, 2);
      size += sum * sum;
    }
  }
  EXPECT_LT(std::sqrt(error / size), 0.0085);
  EXPECT_GT(std::sqrt(error / size), 0.005);  // inputs do become 8 bits
}

/// Inputs that are whole numbers up to 127 lose nothing: one product is one weight, and only
/// float32 sums round.
TEST_P(BlockProducts, OfWholeNumbersLoseNothing) {
  ThreadPool pool(1);
  const int in = 256;
  const RandomBlocks w(random_, format(), 40, in);
  const std::vector<float> values = w.values();
  const RandomTensor x(random_, 9, in);
  for (int r = 0; r < 9; ++r) {
    for (int k = 0; k < in; ++k) {
      x.view().f32(r)[k] = static_cast<float>(static_cast<int>(random_() % 255) - 127);
    }
    x.view().f32(r)[r] = 127;
  }
  const RandomTensor y =
      product(*create(pool), w.matrix(), x.view(), {}, RandomTensor(random_, 9, 40));
  for (int r = 0; r < 9; ++r) {
    for (int o = 0; o < 40; ++o) {
      double sum = 0;
      double terms = 0;
      for (int k = 0; k < in; ++k) {
        const double term =
            double{x.view().f32(r)[k]} * double{values[static_cast<size_t>(o * in + k)]};
        sum += term;
        terms += std::abs(term);
      }
      // Mins and scaled codes may be much larger than the weights, their difference.
      ASSERT_NEAR(y.view().f32(r)[o], sum, 1e-5 * terms) << r << ", " << o;
    }
  }
}

std::vector<FormatCase> cases() {
  std::vector<FormatCase> all;
  for (const std::string& isa : testing::product_kernels()) {
    for (const BlockFormat format : testing::block_formats()) all.emplace_back(isa, format);
  }
  return all;
}

std::string format_case_name(const ::testing::TestParamInfo<FormatCase>& info) {
  return std::get<0>(info.param) + "_" + testing::test_name(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Isa, BlockProducts, ::testing::ValuesIn(cases()), format_case_name);

}  // namespace
}  // namespace unmask
