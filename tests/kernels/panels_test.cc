#include "kernels/panels.h"

#include <cmath>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "kernels/random_blocks.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomBlocks;
using testing::RandomTensor;

/// A matrix packed into memory of its own.
struct InPanels {
  InPanels(HostMatrix from, WeightType type, ThreadPool& pool) {
    from.format = type;
    bytes = allocate_host(*panels_bytes(from));
    pack_panels(from, pool, static_cast<std::byte*>(bytes.data()));
    matrix = from;
    matrix.data = bytes.data();
    matrix.dtype = type == WeightType::bf16 ? DType::bf16 : DType::f32;
    matrix.stride = 0;
    matrix.in_panels = true;
  }
  Buffer bytes;
  HostMatrix matrix;
};

struct PanelShape {
  int out, in;
};
constexpr PanelShape kPanelShapes[] = {{1, 1}, {64, 64}, {65, 33}, {130, 300}, {31, 512}};

std::vector<float> row_of(const HostMatrix& matrix, int r) {
  std::vector<float> row(static_cast<size_t>(matrix.in));
  if (matrix.in_panels) {
    unpack_row(matrix, r, row.data());
  } else {
    matrix.widen_row(r, row.data());
  }
  return row;
}

/// Largest distance of a weight from what became of it, in parts of the largest of its scale.
double worst_share(const HostMatrix& rows, const HostMatrix& panels, int group) {
  double worst = 0;
  for (int r = 0; r < rows.out; ++r) {
    const std::vector<float> wanted = row_of(rows, r);
    const std::vector<float> found = row_of(panels, r);
    for (size_t begin = 0; begin < wanted.size(); begin += static_cast<size_t>(group)) {
      const size_t end = std::min(wanted.size(), begin + static_cast<size_t>(group));
      double largest = 0;
      for (size_t k = begin; k < end; ++k) largest = std::max(largest, std::abs(double{wanted[k]}));
      for (size_t k = begin; k < end; ++k) {
        worst = std::max(worst, std::abs(double{wanted[k]} - found[k]) / largest);
      }
    }
  }
  return worst;
}

TEST(Panels, GiveBackRoundedWeights) {
  std::mt19937 random(3);
  ThreadPool pool(2);
  for (const auto& [out, in] : kPanelShapes) {
    const RandomTensor values(random, out, in, 2);
    const InPanels bytes(values.matrix(), WeightType::int8, pool);
    EXPECT_LT(worst_share(values.matrix(), bytes.matrix, in), 0.501 / 127);
    const InPanels narrow(values.matrix(), WeightType::bf16, pool);
    EXPECT_LE(worst_share(values.matrix(), narrow.matrix, 1), 1.0 / 256);
    const InPanels nibbles(values.matrix(), WeightType::int4, pool);
    // Steps of a sixth to a ninth; beyond the eighth below and the seventh above it is cut.
    EXPECT_LT(worst_share(values.matrix(), nibbles.matrix, 32), 0.23);
  }
}

TEST(Panels, KeepBlocksExactly) {
  std::mt19937 random(4);
  ThreadPool pool(2);
  for (const BlockFormat format : testing::block_formats()) {
    const RandomBlocks blocks(random, format, 45, 768);
    const InPanels panels(blocks.matrix(), WeightType::stored, pool);
    for (int r = 0; r < 45; ++r) {
      EXPECT_EQ(row_of(panels.matrix, r), row_of(blocks.matrix(), r))
          << testing::test_name(format) << " row " << r;
    }
  }
}

TEST(Panels, AreWhatABackendComputesWith) {
  std::mt19937 random(5);
  ThreadPool pool(2);
  const RandomTensor values(random, 70, 320);
  const RandomTensor x(random, 9, 320);
  for (const WeightType type : kWeightTypes) {
    const auto backend = create_cpu_backend({.threads = 2, .weights = type});
    const InPanels panels(values.matrix(), type, pool);
    const auto mapped = backend->pack(panels.matrix);
    const auto packed = backend->pack(values.matrix());
    const RandomTensor by_mapped(random, 9, 70);
    const RandomTensor by_packed(random, 9, 70);
    backend->linear(x.view(), {mapped.get(), by_mapped.view()});
    backend->linear(x.view(), {packed.get(), by_packed.view()});
    EXPECT_EQ(by_mapped.values(), by_packed.values()) << weight_type_name(type);
  }
}

TEST(Panels, AreTakenByBackendsOfTheirType) {
  std::mt19937 random(6);
  ThreadPool pool(2);
  const RandomTensor values(random, 70, 320);
  const InPanels panels(values.matrix(), WeightType::int8, pool);
  for (const WeightType type : kWeightTypes) {
    const auto backend = create_cpu_backend({.threads = 1, .weights = type});
    EXPECT_EQ(backend->takes_panels(panels.matrix), type == WeightType::int8);
  }
  EXPECT_FALSE(create_reference_backend()->takes_panels(panels.matrix));
}

TEST(Panels, NeedAType) {
  HostMatrix matrix{nullptr, DType::f32, 4, 4};
  EXPECT_FALSE(panels_bytes(matrix));
  matrix.format = WeightType::f32;
  EXPECT_EQ(panels_bytes(matrix), 4U * 4 * 64);
}

}  // namespace
}  // namespace unmask
