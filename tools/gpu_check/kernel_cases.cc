#include <fmt/format.h>

#include "gpu_check/device_memory.h"
#include "gpu_check/kernels.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_case.h"
#include "kernels/cuda/scores_case.h"

namespace unmask::tools {

namespace {

using cuda::Bf16;
using cuda::Device;
using cuda::DeviceAttention;
using cuda::DeviceImportance;
using cuda::DeviceTraits;
using cuda::testing::AttentionCase;
using cuda::testing::CaseShape;
using cuda::testing::ScoresCase;
using cuda::testing::ScoresShape;

constexpr int kSomeRows = 64;
constexpr int kSomeHeads = 2;
// Of float64, as the tests on the emulator have them. The hardware's powers of two are good to
// 2^-22.
constexpr double kRelativeL2 = 5e-3;
constexpr double kLse = 1e-4;
constexpr double kRelativeSums = 1e-4;

size_t matrix(int rows, int64_t stride) { return static_cast<size_t>(rows * stride); }

/// Runs a case on the device; its outputs end up in the case.
void run(Device& device, const DeviceTraits& traits, const AttentionCase& c) {
  const DeviceAttention& host = c.task();
  const size_t lists = static_cast<size_t>(host.n_heads) * static_cast<size_t>(host.lists.n_blocks);
  const DeviceArray<Bf16> q(device, host.q, matrix(host.rows, host.q_stride));
  const DeviceArray<Bf16> k(device, host.k, matrix(host.keys, host.k_stride));
  const DeviceArray<Bf16> v(device, host.v, matrix(host.keys, host.v_stride));
  const DeviceArray<Bf16> out(device, host.out, matrix(host.rows, host.out_stride));
  const DeviceArray<float> lse(device, host.lse, matrix(host.n_heads, host.rows));
  const DeviceArray<uint16_t> blocks(device, host.lists.blocks,
                                     lists * static_cast<size_t>(host.lists.stride));
  const DeviceArray<int32_t> counts(device, host.lists.counts, lists);
  const size_t ends = host.key_ends == nullptr ? 0 : static_cast<size_t>(host.rows);
  const DeviceArray<int32_t> key_ends(device, host.key_ends, ends);
  const DeviceArray<cuda::KeyEnds> tile_ends(device, host.tile_ends,
                                             (ends + cuda::kMaxTileRows - 1) / cuda::kMaxTileRows);
  const DeviceArray<cuda::QueryTile> tiles(device, host.tiles, static_cast<size_t>(host.n_tiles));
  DeviceAttention task = host;
  task.q = q.data();
  task.k = k.data();
  task.v = v.data();
  task.out = out.data();
  task.lse = lse.data();
  if (lists > 0) task.lists.blocks = blocks.data();
  task.lists.counts = counts.data();
  if (host.tiles != nullptr) task.tiles = tiles.data();
  if (ends > 0) {
    task.key_ends = key_ends.data();
    task.tile_ends = tile_ends.data();
  }
  const DeviceArray<std::byte> workspace(device, attention_workspace(traits, task));
  launch_attention(traits, task, workspace.data(), device.stream());
  out.download(host.out);
  lse.download(host.lse);
}

void run(Device& device, const DeviceTraits& traits, const ScoresCase& c) {
  const DeviceImportance& host = c.task();
  const int rows = host.n_heads * host.n_blocks();
  const DeviceArray<Bf16> q(device, host.q, matrix(host.rows, host.q_stride));
  const DeviceArray<Bf16> k(device, host.k, matrix(host.rows, host.k_stride));
  const DeviceArray<float> all(device, host.all, matrix(rows, host.n_blocks()));
  const DeviceArray<float> generation(device, host.generation,
                                      matrix(rows, host.n_blocks() - host.first_generation_block));
  DeviceImportance task = host;
  task.q = q.data();
  task.k = k.data();
  task.all = all.data();
  task.generation = generation.data();
  const DeviceArray<std::byte> workspace(device, block_scores_workspace(task));
  launch_block_scores(traits, task, workspace.data(), device.stream());
  all.download(host.all);
  generation.download(host.generation);
}

std::string name_of(const CaseShape& s) {
  std::string name = fmt::format("{} x {}, heads {}/{} of {}", s.rows, s.keys, s.n_heads,
                                 s.n_kv_heads, s.head_dim);
  if (s.block_size > 0) name += fmt::format(", up to {} blocks of {}", s.longest, s.block_size);
  if (!s.positions.empty()) name += ", some rows";
  if (!s.ends.empty()) name += ", ends of keys";
  if (s.spread != 1) name += ", large scores";
  return name;
}

std::vector<CaseShape> attention_shapes() {
  std::vector<CaseShape> shapes;
  for (const int n : {1, 127, 128, 129, 1000, 4224}) {
    const int blocks = (n + 127) / 128;
    shapes.push_back({.rows = n, .keys = n, .n_heads = 4, .n_kv_heads = 4});
    shapes.push_back({.rows = n, .keys = n, .n_heads = 14, .n_kv_heads = 2, .block_size = 128});
    shapes.push_back({.rows = n,
                      .keys = n,
                      .n_heads = 4,
                      .n_kv_heads = 4,
                      .block_size = 128,
                      .longest = blocks});
  }
  shapes.push_back({.rows = 1000, .keys = 1000, .n_heads = 4, .n_kv_heads = 2, .head_dim = 64});
  shapes.push_back({.rows = 700, .keys = 900, .n_heads = 2, .n_kv_heads = 2, .spread = 100});
  shapes.push_back({.rows = 65664, .keys = 65664, .n_heads = 2, .n_kv_heads = 1});
  shapes.push_back({.rows = 65664,
                    .keys = 65664,
                    .n_heads = 2,
                    .n_kv_heads = 1,
                    .block_size = 128,
                    .longest = 300});
  for (const int dim : {32, 64, 96, 128}) {
    shapes.push_back({.rows = 32, .keys = 5000, .n_heads = 14, .n_kv_heads = 2, .head_dim = dim});
    shapes.push_back({.rows = 500,
                      .keys = 500,
                      .n_heads = 4,
                      .n_kv_heads = 2,
                      .head_dim = dim,
                      .block_size = 32,
                      .longest = 9});
  }
  shapes.push_back({.rows = 4,
                    .keys = 1000,
                    .n_heads = 4,
                    .n_kv_heads = 2,
                    .block_size = 128,
                    .positions = {0, 127, 128, 999}});
  for (const int dim : {64, 128}) {
    // A prefill and a step of a block-causal model.
    shapes.push_back({.rows = 4224,
                      .keys = 4224,
                      .n_heads = 4,
                      .n_kv_heads = 1,
                      .head_dim = dim,
                      .ends = cuda::testing::block_ends(4224, 4224, 32)});
    shapes.push_back({.rows = 64,
                      .keys = 5000,
                      .n_heads = 16,
                      .n_kv_heads = 4,
                      .head_dim = dim,
                      .ends = cuda::testing::block_ends(64, 5000, 32, 4900)});
  }
  return shapes;
}

}  // namespace

void check_kernels(Device& device, uint32_t seed, Report& report) {
  std::vector<DeviceTraits> kinds{device.traits()};
  // The kernels for older devices run on newer ones, too.
  if (kinds[0].compute_capability > 80) kinds.push_back({80, kinds[0].multiprocessors});
  for (const DeviceTraits& traits : kinds) {
    const std::string part = fmt::format("sm_{}", traits.compute_capability);
    for (const CaseShape& shape : attention_shapes()) {
      const AttentionCase c(shape, seed++);
      run(device, traits, c);
      const cuda::testing::Errors errors = c.errors(kSomeRows, kSomeHeads);
      report.add({part, name_of(shape) + ": relative L2", errors.relative_l2, "", kRelativeL2});
      report.add({part, name_of(shape) + ": log-sum-exp", errors.lse, "", kLse});
    }
    for (const ScoresShape& shape :
         {ScoresShape{.rows = 1, .n_heads = 2}, ScoresShape{.rows = 129, .n_heads = 2},
          ScoresShape{.rows = 1000, .n_heads = 7, .first_generation_block = 6, .sharpness = 2},
          ScoresShape{.rows = 700, .n_heads = 2, .head_dim = 64, .first_generation_block = 5},
          ScoresShape{.rows = 300, .n_heads = 2, .block_size = 32, .first_generation_block = 9}}) {
      const ScoresCase c(shape, seed++);
      run(device, traits, c);
      report.add({part,
                  fmt::format("block importance, {} positions, heads of {}, blocks of {}",
                              shape.rows, shape.head_dim, shape.block_size),
                  c.error(), "of mean", kRelativeSums});
    }
  }
}

}  // namespace unmask::tools
