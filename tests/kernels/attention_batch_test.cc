// Attention of several sequences in one call: the bits of single calls, in two runs of the pool.
#include <gtest/gtest.h>
#include <optional>
#include <random>

#include "kernels/cpu/attention.h"
#include "kernels/cpu/variants.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

constexpr HeadShape kHeads{4, 2, 40};

/// One sequence and everything that a task can ask for.
struct Sequence {
  Sequence(std::mt19937& random, int queries, int slots)
      : q(random, queries, kHeads.n_heads * kHeads.head_dim, 8, 2),
        k(random, slots, kHeads.n_kv_heads * kHeads.head_dim, 1),
        v(random, slots, kHeads.n_kv_heads * kHeads.head_dim, 3),
        out(random, queries, kHeads.n_heads * kHeads.head_dim),
        lse(static_cast<size_t>(queries * kHeads.n_heads)) {}

  AttentionTask task() {
    return {.q = q.view(),
            .kv = {k.view(), v.view(), keeps ? &kept : nullptr},
            .out = out.view(),
            .pattern = pattern ? &*pattern : nullptr,
            .positions = positions,
            .importance = importance ? &*importance : nullptr,
            .lse = lse.data()};
  }
  void see_every_other_block(int size) {
    const int blocks = (k.view().rows + size - 1) / size;
    pattern.emplace(size, kHeads.n_heads, blocks);
    for (int row = 0; row < kHeads.n_heads * blocks; ++row) {
      std::vector<uint16_t> list;
      for (int b = row % 2; b < blocks; b += 2) list.push_back(static_cast<uint16_t>(b));
      if (list.empty()) list.push_back(0);
      pattern->append(list);
    }
    for (int i = 0; i < q.view().rows; ++i) positions.push_back(i);
  }
  void measure_blocks(int size) {
    importance.emplace();
    importance->block_size = size;
    importance->scale = 0.2F;
    importance->first_generation_block = 1;
  }

  RandomTensor q, k, v, out;
  std::vector<float> lse;
  std::optional<BlockPattern> pattern;
  std::vector<int> positions;
  std::optional<BlockImportance> importance;
  bool keeps = false;
  PackedKv kept;
};

/// Lengths from one query to many, a pattern, a measurement, a cache, and a sequence that asks
/// nothing.
std::vector<Sequence> mixed_sequences() {
  std::mt19937 random{5};
  std::vector<Sequence> all;
  for (const auto& [queries, slots] : {std::pair(1, 1), std::pair(300, 300), std::pair(3, 517),
                                       std::pair(0, 20), std::pair(96, 96), std::pair(70, 129)}) {
    all.emplace_back(random, queries, slots);
  }
  all[1].measure_blocks(24);
  all[2].keeps = true;
  all[4].see_every_other_block(32);
  return all;
}

std::vector<AttentionTask> tasks_of(std::vector<Sequence>& sequences) {
  std::vector<AttentionTask> tasks;
  for (Sequence& sequence : sequences) tasks.push_back(sequence.task());
  return tasks;
}

struct Kernels {
  std::string name;
  const cpu::AttentionKernels* attention;
};

std::vector<Kernels> all_kernels() {
  std::vector<Kernels> all;
  for (const std::string& isa : testing::isa_levels()) {
    const cpu::KernelTable& table = cpu::select_variant(isa).table();
    all.push_back({table.name, &table.f32_attention});
    if (table.bf16_attention != nullptr) {
      all.push_back({std::string(table.name) + "_in_bf16", table.bf16_attention});
    }
  }
  return all;
}

class AttentionBatch : public ::testing::TestWithParam<Kernels> {};

TEST_P(AttentionBatch, EqualsSingleCallsBitForBit) {
  std::vector<Sequence> alone = mixed_sequences();
  ThreadPool one(1);
  cpu::Attention single(one, *GetParam().attention);
  for (const AttentionTask& task : tasks_of(alone)) single.run({&task, 1}, kHeads);
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    cpu::Attention batch(pool, *GetParam().attention);
    std::vector<Sequence> together = mixed_sequences();
    batch.run(tasks_of(together), kHeads);
    for (size_t i = 0; i < alone.size(); ++i) {
      SCOPED_TRACE(fmt::format("sequence {} on {} threads", i, threads));
      EXPECT_EQ(together[i].out.values(), alone[i].out.values());
      EXPECT_EQ(together[i].lse, alone[i].lse);
    }
    EXPECT_EQ(together[1].importance->all, alone[1].importance->all);
    EXPECT_EQ(together[1].importance->generation, alone[1].importance->generation);
  }
}

TEST_P(AttentionBatch, TakesTwoRunsOfThePoolWhateverTheNumberOfSequences) {
  ThreadPool pool(3);
  cpu::Attention attention(pool, *GetParam().attention);
  for (const size_t count : {2, 6}) {
    std::vector<Sequence> sequences = mixed_sequences();
    const std::vector<AttentionTask> tasks = tasks_of(sequences);
    const uint64_t before = pool.shared_runs();
    attention.run(std::span(tasks).first(count), kHeads);
    EXPECT_EQ(pool.shared_runs() - before, 2U);
  }
}

TEST_P(AttentionBatch, TasksThatShareACacheSeeIt) {
  std::vector<Sequence> alone = mixed_sequences();
  std::vector<Sequence> sequences = mixed_sequences();
  ThreadPool pool(2);
  cpu::Attention attention(pool, *GetParam().attention);
  std::vector<AttentionTask> tasks{sequences[2].task(), sequences[5].task()};
  tasks[1].kv = tasks[0].kv;
  const uint64_t before = pool.shared_runs();
  attention.run(tasks, kHeads);
  EXPECT_EQ(pool.shared_runs() - before, 3U);  // packed once, before both attend one by one
  std::vector<AttentionTask> singles{alone[2].task(), alone[5].task()};
  singles[1].kv = {alone[2].k.view(), alone[2].v.view()};
  for (const AttentionTask& task : singles) attention.run({&task, 1}, kHeads);
  EXPECT_EQ(sequences[2].out.values(), alone[2].out.values());
  EXPECT_EQ(sequences[5].out.values(), alone[5].out.values());
}

INSTANTIATE_TEST_SUITE_P(Isa, AttentionBatch, ::testing::ValuesIn(all_kernels()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace unmask
