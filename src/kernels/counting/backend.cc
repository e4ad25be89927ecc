#include "kernels/counting/backend.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <utility>

#include "kernels/counting/exchanges.h"
#include "kernels/create_backend.h"
#include "kernels/split.h"

namespace unmask {

namespace {

constexpr int kPanel = 32;  // slots and columns that the processor's attention packs together

size_t weight_bytes_of(const HostMatrix& w, double bytes_per_weight) {
  return static_cast<size_t>(bytes_per_weight * static_cast<double>(w.out) * w.in);
}

class CountedMatrix final : public PackedMatrix {
 public:
  CountedMatrix(const HostMatrix& w, size_t bytes, InputForm form, int ranks)
      : PackedMatrix(w.out, w.in), bytes_(bytes), form_(form), cut_(cut_outputs(w, ranks)) {}
  size_t bytes() const override { return bytes_; }
  InputForm form() const { return form_; }
  const Cut& cut() const { return cut_; }

 private:
  size_t bytes_;
  InputForm form_;
  Cut cut_;
};

const CountedMatrix& counted(const PackedMatrix* matrix) {
  return dynamic_cast<const CountedMatrix&>(*matrix);
}

/// Keys that the queries at `positions` of all heads see, summed up.
double pairs_seen(const BlockPattern& pattern, std::span<const int> positions, int slots) {
  const int size = pattern.block_size();
  const int key_size = pattern.key_size();
  const int last = (slots - 1) / key_size;
  const int missing = (last + 1) * key_size - slots;  // of the last block, cut short
  double pairs = 0;
  for (size_t i = 0; i < positions.size();) {
    const int block = positions[i] / size;
    size_t end = i;
    while (end < positions.size() && positions[end] / size == block) ++end;
    int64_t keys = 0;
    for (int head = 0; head < pattern.n_heads(); ++head) {
      const auto list = pattern.list(head, block);
      keys += static_cast<int64_t>(list.size()) * key_size - (list.back() == last ? missing : 0);
    }
    pairs += static_cast<double>(keys) * static_cast<double>(end - i);
    i = end;
  }
  return pairs;
}

/// Attention that is as good as even, and whose largest lie at random, the same in every call with
/// this seed: of equal ones all lists would name the same keys, and ranks would seem to want little
/// of each other.
void spread(std::span<float> attention, int seed = 0) {
  std::minstd_rand random(static_cast<unsigned>(seed) + 1);
  for (float& a : attention) a = 1 + static_cast<float>(random() % 4096) * 0x1p-23F;
}

/// Pairs of a query and a key that it sees, over all heads.
double pairs_of(const AttentionTask& task, const HeadShape& shape) {
  const int slots = task.kv.k.rows;
  if (task.pattern != nullptr) return pairs_seen(*task.pattern, task.positions, slots);
  if (task.key_ends.empty()) return static_cast<double>(task.q.rows) * shape.n_heads * slots;
  return std::accumulate(task.key_ends.begin(), task.key_ends.end(), 0.0) * shape.n_heads;
}

double bytes_of(const GatedMaps& maps) {
  return static_cast<double>(maps.gate->bytes() + maps.up->bytes() + maps.down->bytes());
}

/// Operations of one row.
double operations_of(const GatedMaps& maps) { return 3 * 2.0 * maps.gate->in() * maps.gate->out(); }

class Counting final : public CountingBackend {
 public:
  explicit Counting(const ElementSizes& sizes) : sizes_(sizes), exchanges_(sizes.ranks) {}

  WorkCount take() override { return std::exchange(count_, {}); }
  size_t weight_bytes() const override { return weights_ + embeddings_; }
  size_t peak_bytes() const override { return peak_ + weight_bytes(); }
  std::string describe() const override { return "counting"; }
  DType activation_type() const override { return sizes_.activations; }
  int tile_rows() const override { return sizes_.tile_rows; }

  Buffer allocate(size_t bytes) override {
    const size_t size = std::max<size_t>(bytes, 1);
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) fail("out of address space: could not reserve {} bytes", bytes);
    exchanges_.forget(data, bytes);
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    return {data, bytes, [this, bytes, size](void* p) {
              munmap(p, size);
              live_ -= bytes;
            }};
  }
  void upload(const float* /*host*/, Tensor /*out*/) override {}
  void download(Tensor from, float* host) override {
    std::fill_n(host, int64_t{from.rows} * from.cols, 0.0F);
  }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& w) override {
    auto matrix = std::make_unique<CountedMatrix>(w, weight_bytes_of(w, bytes_per_weight(w)),
                                                  form_of(w), sizes_.ranks);
    weights_ += matrix->bytes();
    return matrix;
  }

  void embed(std::span<const TokenId>, const HostMatrix& table, Tensor) override {
    if (!sizes_.keeps_embeddings || embeddings_ != 0) return;
    embeddings_ = weight_bytes_of(table, sizes_.bytes_per_weight);
  }
  void linear(Tensor x, std::span<const LinearMap> maps) override {
    if (x.rows == 0) return;
    exchanges_.take(x, counted(maps[0].weights).form(), count_);
    double results = 0;
    for (size_t i = 0; i < maps.size(); ++i) {
      const LinearMap& map = maps[i];
      count_.product_operations += 2.0 * x.rows * map.weights->in() * map.weights->out();
      count_.weight_bytes += static_cast<double>(map.weights->bytes());
      const bool goes_on = i + 1 < maps.size() && maps[i + 1].out.data == map.out.data;
      if (goes_on) continue;  // its result is that of the next map, too
      if (map.into == Into::gate) {
        exchanges_.leave({map.out, counted(map.weights).cut()});
      } else {
        results += static_cast<double>(dense_bytes(x.rows, map.out.cols, map.out.dtype));
      }
    }
    exchanges_.give(results, 1, count_);
  }
  void experts(Tensor x, const Experts& experts, Tensor, Into) override {
    if (x.rows == 0) return;
    count_.product_operations += 2.0 * x.rows * x.cols * experts.router.rows;
    // The rows spread over as many experts as they can take.
    const int taken = std::min(experts.router.rows, x.rows * experts.routing.top_k);
    count_.weight_bytes +=
        static_cast<double>(dense_bytes(experts.router.rows, x.cols, DType::f32));
    for (int e = 0; e < taken; ++e)
      count_.weight_bytes += bytes_of(experts.maps[static_cast<size_t>(e)]);
    count_.product_operations += x.rows * experts.routing.top_k * operations_of(experts.maps[0]);
    exchange(x.rows * experts.routing.top_k, experts.maps[0]);
    if (experts.shared == nullptr) return;
    count_.weight_bytes += bytes_of(*experts.shared);
    count_.product_operations += x.rows * operations_of(*experts.shared);
    exchange(x.rows, *experts.shared);
  }
  void rms_norm(Tensor, Tensor, float, Tensor) override {}
  void rope(Tensor, std::span<const int>, const Rotation&) override {}
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    const int group = shape.n_heads / shape.n_kv_heads;
    for (const AttentionTask& task : tasks) {
      count(task, shape);
      exchanges_.leave({task.out, {task.out.cols, group * shape.head_dim, sizes_.ranks}});
    }
  }
  void add(Tensor, Tensor) override {}
  void extrapolate(Tensor, Tensor, float) override {}
  void gather(Tensor, const Rows&, Tensor) override {}
  void scatter(Tensor, const Rows&, Tensor) override {}
  void token_stats(Tensor logits, std::span<const int>, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    // Two tokens that take turns from step to step: no guess from the last one is right.
    std::vector<TokenId> allowed;
    for (TokenId token = 0; token < logits.cols && allowed.size() < 2; ++token) {
      const bool excluded = std::ranges::count(query.forbidden, token) > 0 ||
                            std::ranges::count(query.removed, token) > 0;
      if (!excluded) allowed.push_back(token);
    }
    UNMASK_CHECK(!allowed.empty(), "some token is allowed");
    const size_t turn = static_cast<size_t>(query.step) % allowed.size();
    std::fill(out.begin(), out.end(), TokenStats{.token = allowed[turn]});
  }
  void mean_query_scores(Tensor, Tensor, const HeadShape&, std::span<float> out) override {
    even(out);
  }
  void attention_mass(Tensor, const Rows& rows, Tensor, const HeadShape&,
                      std::span<float> out) override {
    ++count_.measurements;
    spread(out, rows.empty() ? 0 : rows[0]);
  }
  void cosine_rows(Tensor, Tensor, std::span<float> out) override { even(out); }
  void row_changes(Tensor, Tensor, const Rows&, std::span<float> out) override { even(out); }

 private:
  /// What a method measures when everything looks alike.
  void even(std::span<float> out) {
    ++count_.measurements;
    std::fill(out.begin(), out.end(), 1.0F);
  }

  /// The results of `rows` rows of one expert: of its gate, then of the rest.
  void exchange(int rows, const GatedMaps& maps) {
    const CountedMatrix& down = counted(maps.down);
    exchanges_.take(rows, counted(maps.gate).cut(), DType::f32, down.form(), count_);
    exchanges_.give(static_cast<double>(dense_bytes(rows, down.out(), DType::f32)), 1, count_);
  }

  /// Reserves what packing would fill.
  void pack(const KvView& kv, const HeadShape& shape) {
    if (!sizes_.packed_kv) return;
    const auto whole_panels = [](int n) { return (n + kPanel - 1) / kPanel * kPanel; };
    const size_t bytes = dense_bytes(shape.n_kv_heads * whole_panels(kv.k.rows),
                                     whole_panels(shape.head_dim), *sizes_.packed_kv);
    PackedKv& to = kv.packed == nullptr ? passing_ : *kv.packed;
    for (Buffer* buffer : {&to.keys, &to.values}) {
      if (buffer->bytes() < bytes) *buffer = allocate(bytes);
    }
  }

  InputForm form_of(const HostMatrix& w) const {
    WeightType type = w.format.value_or(sizes_.weights);
    if (type == WeightType::stored && !w.blocks) type = exact_type(w.dtype);
    return input_form(type, sizes_.bf16_inputs);
  }
  double bytes_per_weight(const HostMatrix& w) const {
    if (!w.format) return sizes_.bytes_per_weight;
    if (*w.format != WeightType::stored) return bits_per_weight(*w.format) / 8;
    return stored_bits(w) / 8;
  }
  void count(const AttentionTask& task, const HeadShape& shape) {
    pack(task.kv, shape);
    const int slots = task.kv.k.rows;
    const double queries = static_cast<double>(task.q.rows) * shape.n_heads;
    const double pairs = pairs_of(task, shape);
    count_.queries += queries;
    count_.all_pairs += queries * slots;
    count_.pairs += pairs;
    count_.attention_operations += 4.0 * pairs * shape.head_dim;
    if (task.q.rows > 0) {
      const size_t both = 2 * dense_bytes(slots, task.kv.k.cols, task.kv.k.dtype);
      count_.kv_bytes += static_cast<double>(both) * pairs / (queries * slots);
    }
    if (task.importance != nullptr) {
      ++count_.measurements;
      task.importance->reset(shape.n_heads, slots);
      spread(task.importance->all);
      spread(task.importance->generation);
    }
  }

  ElementSizes sizes_;
  CountedExchanges exchanges_;
  WorkCount count_;
  size_t weights_ = 0;
  size_t embeddings_ = 0;
  size_t live_ = 0;
  size_t peak_ = 0;
  PackedKv passing_;  // of what no store keeps
};

}  // namespace

std::unique_ptr<CountingBackend> create_counting_backend(const ElementSizes& sizes) {
  return std::make_unique<Counting>(sizes);
}

}  // namespace unmask
