#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <numeric>
#include <random>

#include "gpu_check/device_memory.h"
#include "gpu_check/event_timer.h"
#ifdef UNMASK_CUDNN
#include "kernels/cuda/cudnn_attention.h"
#endif
#include "gpu_check/kernels.h"
#include "kernels/cuda/attention.h"
#include "kernels/select.h"

namespace unmask::tools {

namespace {

using cuda::Bf16;
#ifdef UNMASK_CUDNN
using cuda::CudnnAttention;
using cuda::CudnnPages;
#endif
using cuda::Device;
using cuda::DeviceAttention;
using cuda::DeviceImportance;
using cuda::DeviceSelection;
using cuda::DeviceTraits;

constexpr int kHeadDim = 128;
constexpr int kBlock = 128;
constexpr int kGenerated = 128;  // positions behind the prompt
constexpr int kRounds = 5;
constexpr double kSelect = 0.3;
constexpr int kCheckedPages = 10000;  // positions: more would take the host too long

struct Model {
  const char* name;
  int n_heads;
  int n_kv_heads;
};

/// Roughly normal bfloat16, quickly.
std::vector<Bf16> random_values(size_t count, uint32_t seed) {
  std::minstd_rand random(seed);
  std::vector<Bf16> values(count);
  for (Bf16& value : values) {
    const auto a = static_cast<float>(random() & 0xffffU);
    const auto b = static_cast<float>(random() & 0xffffU);
    value = f32_to_bf16((a - b) / 26755);  // the difference has this standard deviation
  }
  return values;
}

/// Lists of `count` random blocks, ascending, for every head and query block.
std::vector<uint16_t> random_lists(int lists, int n_blocks, int count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint16_t> all(static_cast<size_t>(n_blocks));
  std::iota(all.begin(), all.end(), uint16_t{0});
  std::vector<uint16_t> blocks;
  for (int i = 0; i < lists; ++i) {
    std::sample(all.begin(), all.end(), std::back_inserter(blocks), count, random);
  }
  return blocks;
}

/// One thing that is timed.
struct Contender {
  std::string name;
  double flops = 0;  // of what it stands for; 0: no rate is reported
  std::function<void()> queue;
  std::vector<double> milliseconds{};
};

/// Takes turns, after one round that does not count.
void race(Device& device, std::vector<Contender>& contenders) {
  EventTimer timer(device.stream());
  for (int round = 0; round <= kRounds; ++round) {
    for (Contender& c : contenders) {
      const double time = timer.milliseconds(c.queue);
      if (round > 0) c.milliseconds.push_back(time);
    }
  }
}

class KernelTimes {
 public:
  KernelTimes(Device& device, const Model& model, int length, uint32_t seed)
      : device_(device),
        model_(model),
        length_(length),
        seed_(seed),
        q_(device, random_values(size(model.n_heads), seed)),
        k_(device, random_values(size(model.n_kv_heads), seed + 1)),
        v_(device, random_values(size(model.n_kv_heads), seed + 2)),
        out_(device, size(model.n_heads)),
        lse_(device, size(model.n_heads) / kHeadDim),
        all_(device, lists() * static_cast<size_t>(blocks())),
        generation_(device, lists() * static_cast<size_t>(blocks() - first_generation())) {}

  void run(Report& report) {
    for (const double density : {0.1, 0.3, 0.5}) add_sparse(density);
#ifdef UNMASK_CUDNN
    add_cudnn(report);
    if (length_ % kBlock == 0) add_cudnn_pages(report);
#endif
    add_dense();
    add_selection();
    add_cached_step();
    race(device_, contenders_);
    for (Contender& c : contenders_) {
      std::sort(c.milliseconds.begin(), c.milliseconds.end());
      const double median = c.milliseconds[c.milliseconds.size() / 2];
      const std::string name = fmt::format("{} {}: {}", model_.name, length_, c.name);
      report.add({"times", name, median, "ms"});
      if (c.flops > 0) report.add({"times", name, c.flops / median / 1e9, "TFLOP/s"});
    }
    check_selection(report);
  }

 private:
  size_t size(int heads) const {
    return static_cast<size_t>(length_) * static_cast<size_t>(heads) * kHeadDim;
  }
  int blocks() const { return (length_ + kBlock - 1) / kBlock; }
  int first_generation() const { return (length_ - kGenerated) / kBlock; }
  size_t lists() const {
    return static_cast<size_t>(model_.n_heads) * static_cast<size_t>(blocks());
  }
  double dense_flops() const { return 4.0 * length_ * length_ * kHeadDim * model_.n_heads; }

  DeviceAttention dense() const {
    return {.q = q_.data(),
            .k = k_.data(),
            .v = v_.data(),
            .out = out_.data(),
            .lse = lse_.data(),
            .q_stride = model_.n_heads * kHeadDim,
            .k_stride = model_.n_kv_heads * kHeadDim,
            .v_stride = model_.n_kv_heads * kHeadDim,
            .out_stride = model_.n_heads * kHeadDim,
            .rows = length_,
            .keys = length_,
            .n_heads = model_.n_heads,
            .n_kv_heads = model_.n_kv_heads,
            .head_dim = kHeadDim,
            .scale = 0.0883883476F};
  }
  void add_attention(std::string name, double flops, const DeviceAttention& task,
                     const DeviceTraits& traits) {
    workspaces_.emplace_back(device_, attention_workspace(traits, task));
    std::byte* workspace = workspaces_.back().data();
    contenders_.push_back({std::move(name), flops, [=, this] {
                             launch_attention(traits, task, workspace, device_.stream());
                           }});
  }
  void add_dense() {
    add_attention("dense", dense_flops(), dense(), device_.traits());
    add_attention("dense, kernel for sm_80", dense_flops(), dense(),
                  {80, device_.traits().multiprocessors});
  }
#ifdef UNMASK_CUDNN
  /// Where the library refuses, the check has lost what it compares with: a failure.
  void add_cudnn(Report& report) {
    try {
      DeviceAttention task = dense();
      task.lse = nullptr;
      cudnn_ = std::make_unique<CudnnAttention>(device_, task);
      cudnn_->queue(task);
      out_.download();  // a plan that was made may still fail when it runs
      contenders_.push_back({"dense, cuDNN", dense_flops(), [=, this] { cudnn_->queue(task); }});
    } catch (const Error& error) {
      report.fail("times", error.what());
    }
  }
  /// The library's way to say the same as our lists, where it has one; its operands lie block by
  /// block, which random numbers do in any order.
  void add_cudnn_pages(Report& report) {
    const int count = kept_blocks(kSelect);
    const std::vector<uint16_t> blocks = listed_blocks(count);
    try {
      cudnn_pages_ = std::make_unique<CudnnAttention>(
          device_, dense(), CudnnPages{kBlock, this->blocks(), count, blocks});
      cudnn_pages_->queue(dense());
      check_pages(report, blocks, count);
      contenders_.push_back({fmt::format("sparse, {:.0f} % kept, cuDNN's pages", kSelect * 100),
                             dense_flops() * count / this->blocks(),
                             [this] { cudnn_pages_->queue(dense()); }});
    } catch (const Error& error) {
      report.add({"times", fmt::format("no attention over pages: {}", error.what()), 0, ""});
    }
  }
  /// Some rows of what the library's pages gave, against float64. Where pages are operands, rows
  /// lie block by block, head after head.
  void check_pages(Report& report, const std::vector<uint16_t>& blocks, int count) const {
    if (length_ > kCheckedPages) return;
    const std::vector<Bf16> q = q_.download();
    const std::vector<Bf16> k = k_.download();
    const std::vector<Bf16> v = v_.download();
    const std::vector<Bf16> out = out_.download();
    double difference = 0;
    double size = 0;
    for (size_t list = 0; list < lists(); list += lists() / 7) {
      const size_t head = list / static_cast<size_t>(this->blocks());
      const size_t kv_head = head / static_cast<size_t>(model_.n_heads / model_.n_kv_heads);
      std::vector<size_t> keys;  // their first elements
      for (int i = 0; i < count * kBlock; ++i) {
        const size_t block =
            blocks[list * static_cast<size_t>(count) + static_cast<size_t>(i / kBlock)];
        keys.push_back(((kv_head * static_cast<size_t>(this->blocks()) + block) * kBlock +
                        static_cast<size_t>(i % kBlock)) *
                       kHeadDim);
      }
      const size_t row = (list * kBlock + list % kBlock) * kHeadDim;
      std::vector<double> expected(kHeadDim);
      double total = 0;
      for (const size_t key : keys) {
        double score = 0;
        for (size_t d = 0; d < kHeadDim; ++d) {
          score += double{bf16_to_f32(q[row + d])} * bf16_to_f32(k[key + d]);
        }
        const double weight = std::exp(score * dense().scale);
        total += weight;
        for (size_t d = 0; d < kHeadDim; ++d) expected[d] += weight * bf16_to_f32(v[key + d]);
      }
      for (size_t d = 0; d < kHeadDim; ++d) {
        const double error = bf16_to_f32(out[row + d]) - expected[d] / total;
        difference += error * error;
        size += expected[d] / total * expected[d] / total;
      }
    }
    report.add({"times", fmt::format("{} {}: cuDNN's pages, some rows", model_.name, length_),
                std::sqrt(difference / size), "rel.", 5e-3});
  }
#endif
  int kept_blocks(double density) const {
    return std::max(1, static_cast<int>(blocks() * density));
  }
  std::vector<uint16_t> listed_blocks(int count) const {
    return random_lists(static_cast<int>(lists()), blocks(), count, seed_ + 3);
  }
  void add_sparse(double density) {
    const int count = kept_blocks(density);
    lists_.emplace_back(device_, listed_blocks(count));
    counts_.emplace_back(device_, std::vector<int32_t>(lists(), count));
    DeviceAttention task = dense();
    task.lists = {lists_.back().data(), counts_.back().data(), count, kBlock, blocks()};
    const double kept = static_cast<double>(count) / blocks();
    add_attention(fmt::format("sparse, {:.0f} % kept", density * 100), dense_flops() * kept, task,
                  device_.traits());
  }
  DeviceImportance importance() const {
    return {.q = q_.data(),
            .k = k_.data(),
            .q_stride = model_.n_heads * kHeadDim,
            .k_stride = model_.n_kv_heads * kHeadDim,
            .rows = length_,
            .n_heads = model_.n_heads,
            .n_kv_heads = model_.n_kv_heads,
            .head_dim = kHeadDim,
            .scale = dense().scale,
            .lse = lse_.data(),
            .block_size = kBlock,
            .first_generation_block = first_generation(),
            .all = all_.data(),
            .generation = generation_.data()};
  }
  DeviceSelection selection() const {
    return {.all = all_.data(),
            .generation = generation_.data(),
            .n_heads = model_.n_heads,
            .n_blocks = blocks(),
            .first_generation_block = first_generation(),
            .select = kSelect};
  }
  /// Behind the dense pass, whose log-sum-exps it takes.
  void add_selection() {
    DeviceSelection task = selection();
    lists_.emplace_back(device_, lists() * static_cast<size_t>(list_stride(task)));
    counts_.emplace_back(device_, lists());
    task.blocks = lists_.back().data();
    task.counts = counts_.back().data();
    workspaces_.emplace_back(device_, block_scores_workspace(importance()));
    std::byte* workspace = workspaces_.back().data();
    contenders_.push_back({"selection", dense_flops() / 2, [=, this] {
                             launch_block_scores(device_.traits(), importance(), workspace,
                                                 device_.stream());
                             launch_select(task, device_.stream());
                           }});
  }
  /// A step of a cache that keeps half of the keys; what counts is the memory they fill.
  void add_cached_step() {
    DeviceAttention task = dense();
    task.rows = std::min(length_, 32);
    task.keys = std::max(1, length_ / 2);
    add_attention("32 rows, half of the keys", 0, task, device_.traits());
  }
  /// The lists on the device are those that the host makes of the same tables.
  void check_selection(Report& report) const {
    BlockImportance measured;
    measured.block_size = kBlock;
    measured.first_generation_block = first_generation();
    measured.reset(model_.n_heads, length_);
    measured.all = all_.download();
    measured.generation = generation_.download();
    const BlockPattern expected = select_blocks(measured, {.select = kSelect});
    const std::vector<uint16_t> blocks = lists_.back().download();
    const std::vector<int32_t> counts = counts_.back().download();
    const auto stride = static_cast<size_t>(list_stride(selection()));
    int different = 0;
    double worst_mass = 0;
    for (size_t row = 0; row < lists(); ++row) {
      const auto n = static_cast<size_t>(this->blocks());
      const auto list = expected.list(static_cast<int>(row / n), static_cast<int>(row % n));
      const auto* found = blocks.data() + row * stride;
      const bool same = static_cast<size_t>(counts[row]) == list.size() &&
                        std::equal(list.begin(), list.end(), found);
      different += same ? 0 : 1;
      const auto* own = measured.all.data() + row * n;
      const int first = static_cast<int>(row % n) * kBlock;
      const double rows = std::min(kBlock, length_ - first);
      const double mass = std::accumulate(own, own + n, 0.0) * kBlock * kBlock / rows;
      if (!(std::fabs(mass - 1) <= worst_mass)) worst_mass = std::fabs(mass - 1);
    }
    const std::string name = fmt::format("{} {}: ", model_.name, length_);
    report.add({"selection", name + "lists unlike the host's", double(different), "", 0.0});
    report.add({"selection", name + "importance of a row, sum - 1", worst_mass, "", 1e-3});
  }

  Device& device_;
  Model model_;
  int length_;
  uint32_t seed_;
  DeviceArray<Bf16> q_, k_, v_, out_;
  DeviceArray<float> lse_, all_, generation_;
  std::vector<DeviceArray<uint16_t>> lists_;
  std::vector<DeviceArray<int32_t>> counts_;
  std::vector<DeviceArray<std::byte>> workspaces_;
  std::vector<Contender> contenders_;
#ifdef UNMASK_CUDNN
  std::unique_ptr<CudnnAttention> cudnn_, cudnn_pages_;
#endif
};

}  // namespace

void time_kernels(Device& device, const std::vector<int>& lengths, uint32_t seed, Report& report) {
  for (const Model& model : {Model{"LLaDA-8B", 32, 32}, Model{"Dream-7B", 28, 4}}) {
    for (const int length : lengths) KernelTimes(device, model, length, seed).run(report);
  }
}

}  // namespace unmask::tools
