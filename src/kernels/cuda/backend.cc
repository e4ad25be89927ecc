#include "kernels/cuda/backend.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/parallel.h"
#include "core/platform/processor.h"
#include "kernels/check_experts.h"
#include "kernels/cuda/attention_tasks.h"
#include "kernels/cuda/cell_work.h"
#include "kernels/cuda/choices.h"
#include "kernels/cuda/device_gather.h"
#include "kernels/cuda/device_series.h"
#include "kernels/cuda/expert_tasks.h"
#include "kernels/cuda/nccl_ranks.h"
#include "kernels/cuda/products.h"
#include "kernels/cuda/row_work.h"
#include "kernels/cuda/tensor_view.h"
#include "kernels/cuda/transfer.h"
#include "kernels/plain_row_math.h"
#include "kernels/token_stats.h"

namespace unmask::cuda {

namespace {

// Up to here a product waits for its weights, and one of several matrices fills the device better;
// beyond it the extra pass over the result costs more (docs/cuda.md, "Few rows").
constexpr int kFewRows = 256;

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options)
      : steps_(options.steps),
        pool_(options.threads == 0 ? available_threads() : options.threads),
        products_(device_, options.tunes),
        attention_(device_, lists_, options.attention) {}

  std::string describe() const override {
    return fmt::format("cuda {}, {} multiprocessors, products: {}", device_.name(),
                       device_.traits().multiprocessors, products_.name());
  }

  /// `host`: with which it is to gather columns; outlives this. All ranks join at the same time.
  void join(Communicator& host) {
    columns_ = std::make_unique<DeviceGather>(device_, create_device_ranks(host, device_));
  }
  DeviceGather& columns() { return *columns_; }

  Buffer allocate(size_t bytes) override { return device_.allocate(bytes); }
  DType activation_type() const override { return kCudaActivations; }
  int tile_rows() const override { return kCudaTileRows; }
  void upload(const float* host, Tensor out) override { cuda::upload(device_, host, out); }
  void download(Tensor from, float* host) override { cuda::download(device_, from, host); }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    return std::move(DeviceMatrix::pack(device_, {&weights, 1})[0]);
  }
  std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) override {
    return DeviceMatrix::pack(device_, weights);
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override;
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override;
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override;
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override;
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override;
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    for (const AttentionTask& task : tasks) attention_.run(task, shape);
  }
  void add(Tensor x, Tensor y) override;
  void extrapolate(Tensor x, Tensor y, float scale) override;
  void gather(Tensor from, const Rows& rows, Tensor out) override;
  void scatter(Tensor from, const Rows& rows, Tensor out) override;
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override;
  std::unique_ptr<StepSeries> series(const SeriesPlan& plan) override;
  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape, std::span<float> out) override;
  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override;
  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override;
  void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) override;

 private:
  template <typename Work>
  void queue(const Work& work) {
    if (work.rows > 0 && work.cols > 0) launch(work, device_.stream());
  }
  /// Rows that products can read, [x.rows, depth]: x itself, or a copy.
  Operand readable(Tensor x, int depth);
  /// A bias in the type of a product's output.
  View converted(Tensor bias, bool narrow);
  void apply(const Operand& input, int depth, const LinearMap& map);
  /// The maps as one product of matrices that lie side by side.
  void apply_joined(const Operand& input, int depth, std::span<const LinearMap> maps);
  const int* on_device(const Rows& rows) { return lists_.on_device({rows.begin(), rows.end()}); }
  template <typename T>
  void fetch(const T* from, std::span<T> to) {
    device_.download({const_cast<T*>(from), to.size_bytes(), to.size_bytes(), 1}, to.data());
  }
  /// The frequencies of a rotation, on the device.
  const float* frequencies(const Rotation& rotation);
  void choose_on_host(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                      std::span<TokenStats> out);

  CudaSteps steps_;
  ThreadPool pool_;  // sampling on the host
  Device device_;
  Products products_;
  IndexLists lists_{device_};
  AttentionTasks attention_;
  ExpertTasks experts_{device_, products_};
  DeviceTable table_{device_};
  Scratch input_{device_};        // of a product, in bfloat16
  Scratch bias_{device_};         // of a product, in bfloat16
  Scratch gated_{device_};        // what a gate multiplies
  Scratch shared_{device_};       // the inner rows of a shared expert, in bfloat16
  Scratch joined_{device_};       // products of several matrices, in float32
  Scratch frequencies_{device_};  // of rotation_
  Rotation rotation_;
  Scratch results_{device_};      // on their way to the host
  Scratch partial_{device_};      // between two launches of one call
  std::vector<float> host_rows_;  // logits that are reduced on the host
  std::unique_ptr<DeviceGather> columns_;
};

void CudaBackend::embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) {
  UNMASK_CHECK(out.cols == table.in && out.rows == static_cast<int>(tokens.size()),
               "shape of the embedding");
  for (const TokenId id : tokens) {
    if (id < 0 || id >= table.out) {
      fail("[embed] token id {} is outside the vocabulary of {}", id, table.out);
    }
  }
  if (tokens.empty()) return;
  queue(Gather{out.rows, out.cols, table_.rows(table), lists_.on_device(tokens), view(out)});
}

void CudaBackend::linear(Tensor x, std::span<const LinearMap> maps) {
  for (const LinearMap& map : maps) {
    UNMASK_CHECK(
        x.cols == map.weights->in() && map.out.cols == map.weights->out() && x.rows == map.out.rows,
        "shapes of a product do not fit");
    UNMASK_CHECK(!map.bias || map.bias.cols == map.out.cols, "shape of a bias");
    UNMASK_CHECK(!map.bias || map.bias.dtype == DType::f32, "biases are float32");
  }
  if (x.rows == 0 || maps.empty()) return;
  const int depth = matrix_of(maps[0].weights).depth();
  const Operand input = readable(x, depth);
  while (!maps.empty()) {
    const size_t joined = x.rows <= kFewRows ? count_joined(maps) : 1;
    if (joined > 1) {
      apply_joined(input, depth, maps.first(joined));
    } else {
      apply(input, depth, maps[0]);
    }
    maps = maps.subspan(joined);
  }
}

Operand CudaBackend::readable(Tensor x, int depth) {
  if (is_aligned(x) && x.cols == depth) return {static_cast<const Bf16*>(x.data), x.stride};
  Bf16* copy = input_.fit<Bf16>(static_cast<size_t>(x.rows) * static_cast<size_t>(depth));
  queue(CopyParts{x.rows, depth, view(x), nullptr, {copy, depth, true}, x.cols, depth});
  return {copy, depth};
}

View CudaBackend::converted(Tensor bias, bool narrow) {
  if (!bias || !narrow) return bias ? view(bias) : View{};
  const View out{bias_.fit<Bf16>(static_cast<size_t>(bias.cols)), bias.cols, true};
  queue(CopyParts{1, bias.cols, view(bias), nullptr, out, bias.cols, bias.cols});
  return out;
}

void CudaBackend::apply(const Operand& input, int depth, const LinearMap& map) {
  View out = view(map.out);
  if (map.into == Into::gate) {
    const size_t bytes = dense_bytes(map.out.rows, map.out.cols, map.out.dtype);
    out = {gated_.fit<std::byte>(bytes), map.out.cols, out.narrow};
  }
  products_.run({.x = input.data,
                 .x_stride = input.stride,
                 .weights = matrix_of(map.weights).values(),
                 .bias = converted(map.bias, out.narrow),
                 .out = out,
                 .rows = map.out.rows,
                 .cols = map.out.cols,
                 .depth = depth,
                 .adds = map.into == Into::add});
  if (map.into == Into::gate) {
    queue(Swiglu{map.out.rows, map.out.cols, view(map.out), out, view(map.out)});
  }
}

void CudaBackend::apply_joined(const Operand& input, int depth, std::span<const LinearMap> maps) {
  Split split{};
  split.rows = maps[0].out.rows;
  for (size_t i = 0; i < maps.size(); ++i) {
    split.cols += maps[i].out.cols;
    split.parts[i] = {split.cols, view(maps[i].out), maps[i].bias.f32()};
  }
  const size_t cells = static_cast<size_t>(split.rows) * static_cast<size_t>(split.cols);
  split.from = {joined_.fit<float>(cells), split.cols, false};
  products_.run({.x = input.data,
                 .x_stride = input.stride,
                 .weights = matrix_of(maps[0].weights).values(),
                 .out = split.from,
                 .rows = split.rows,
                 .cols = split.cols,
                 .depth = depth});
  if (maps.back().into == Into::gate) {
    const int width = maps[0].out.cols;
    queue(Swiglu{split.rows, width, split.from, split.from.from_column(width), view(maps[0].out)});
  } else {
    queue(split);
  }
}

void CudaBackend::experts(Tensor x, const Experts& experts, Tensor out, Into into) {
  check_experts(x, experts, out, into);
  if (x.rows == 0) return;
  experts_.run(readable(x, matrix_of(experts.maps[0].gate).depth()), x.rows, experts, out, into);
  if (experts.shared == nullptr) return;
  const GatedMaps& shared = *experts.shared;
  const int width = shared.gate->out();
  auto* rows = shared_.fit<Bf16>(static_cast<size_t>(x.rows) * static_cast<size_t>(width));
  const Tensor inner{rows, DType::bf16, x.rows, width, width};
  linear(x, std::array{LinearMap{shared.gate, inner}, LinearMap{shared.up, inner, {}, Into::gate}});
  linear(inner, {.weights = shared.down, .out = out, .into = Into::add});
}

void CudaBackend::rms_norm(Tensor x, Tensor weight, float eps, Tensor out) {
  UNMASK_CHECK(weight.cols == x.cols && out.cols == x.cols && out.rows == x.rows,
               "shapes of a norm");
  UNMASK_CHECK(weight.dtype == DType::f32, "weights of norms are float32");
  queue(RmsNorm{x.rows, x.cols, view(x), weight.f32(), eps, view(out)});
}

const float* CudaBackend::frequencies(const Rotation& rotation) {
  const std::vector<float>& values = rotation.frequencies;
  auto* table = frequencies_.fit<float>(values.size());
  if (rotation == rotation_) return table;
  const size_t bytes = values.size() * sizeof(float);
  device_.upload(values.data(), {table, bytes, bytes, 1});
  rotation_ = rotation;
  return table;
}

void CudaBackend::rope(Tensor x, std::span<const int> positions, const Rotation& rotation) {
  const int head_dim = rotation.head_dim();
  UNMASK_CHECK(static_cast<int>(positions.size()) == x.rows && x.cols % head_dim == 0,
               "shapes of a rotation");
  if (x.rows == 0) return;
  const int heads = x.cols / head_dim;
  const int columns = (heads + Rope::kHeads - 1) / Rope::kHeads * (head_dim / 2);
  queue(Rope{x.rows, columns, view(x), lists_.on_device(positions), frequencies(rotation),
             rotation.scale, head_dim / 2, heads});
}

void CudaBackend::add(Tensor x, Tensor y) {
  UNMASK_CHECK(x.rows == y.rows && x.cols == y.cols, "shapes of a sum");
  queue(Add{x.rows, x.cols, view(x), view(y)});
}

void CudaBackend::extrapolate(Tensor x, Tensor y, float scale) {
  UNMASK_CHECK(x.rows == y.rows && x.cols == y.cols, "shapes of an extrapolation");
  queue(Extrapolate{x.rows, x.cols, view(x), view(y), scale});
}

void CudaBackend::gather(Tensor from, const Rows& rows, Tensor out) {
  UNMASK_CHECK(out.rows == rows.size() && out.cols == from.cols, "shapes of a gather");
  if (rows.empty()) return;
  queue(Gather{out.rows, out.cols, view(from), on_device(rows), view(out)});
}

void CudaBackend::scatter(Tensor from, const Rows& rows, Tensor out) {
  UNMASK_CHECK(from.rows == rows.size() && out.cols == from.cols, "shapes of a scatter");
  if (rows.empty()) return;
  queue(Scatter{from.rows, from.cols, view(from), on_device(rows), view(out)});
}

void CudaBackend::token_stats(Tensor logits, std::span<const int> positions,
                              const TokenQuery& query, std::span<TokenStats> out) {
  UNMASK_CHECK(static_cast<int>(positions.size()) == logits.rows && out.size() == positions.size(),
               "shapes of token statistics");
  if (out.empty()) return;
  if (!is_plain(query)) {
    choose_on_host(logits, positions, query, out);
    return;
  }
  auto* choices = results_.fit<Choice>(out.size());
  queue(choose_work(lists_, logits, query, choices));
  std::vector<Choice> fetched(out.size());
  fetch(choices, std::span(fetched));
  for (const Choice& c : fetched) check_token(c.token);
  std::transform(fetched.begin(), fetched.end(), out.begin(), [](const Choice& c) {
    return TokenStats{c.token, c.probability, c.margin, c.neg_entropy};
  });
}

std::unique_ptr<StepSeries> CudaBackend::series(const SeriesPlan& plan) {
  if (steps_ == CudaSteps::host) return nullptr;
  return std::make_unique<DeviceSeries>(device_, lists_, table_, plan, steps_ == CudaSteps::graph);
}

void CudaBackend::choose_on_host(Tensor logits, std::span<const int> positions,
                                 const TokenQuery& query, std::span<TokenStats> out) {
  const auto cols = static_cast<size_t>(logits.cols);
  host_rows_.resize(out.size() * cols);
  download(logits, host_rows_.data());
  pool_.run(logits.rows, [&](int r, int) {
    const auto i = static_cast<size_t>(r);
    out[i] = reduce_row(std::span(host_rows_).subspan(i * cols, cols), positions[i], query,
                        plain_row_math());
  });
}

void CudaBackend::mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                                    std::span<float> out) {
  UNMASK_CHECK(q.rows > 0 && q.cols == shape.n_heads * shape.head_dim &&
                   k.cols == shape.n_kv_heads * shape.head_dim &&
                   out.size() == static_cast<size_t>(k.rows),
               "shapes of scores");
  const View mean{partial_.fit<float>(static_cast<size_t>(k.cols)), k.cols};
  auto* scores = results_.fit<float>(out.size());
  queue(MeanQuery{1, k.cols, view(q), q.rows, shape.n_heads / shape.n_kv_heads, shape.head_dim,
                  mean});
  queue(DotRow{k.rows, k.cols, view(k), mean, scores});
  fetch(scores, out);
}

void CudaBackend::attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                                 std::span<float> out) {
  UNMASK_CHECK(
      q.cols == shape.n_heads * shape.head_dim && k.cols == shape.n_kv_heads * shape.head_dim &&
          out.size() == static_cast<size_t>(k.rows) * static_cast<size_t>(shape.n_kv_heads),
      "shapes of an attention mass");
  std::fill(out.begin(), out.end(), 0.0F);
  if (rows.empty()) return;
  const Scores scores{view(q),
                      view(k),
                      on_device(rows),
                      shape.n_heads,
                      shape.n_heads / shape.n_kv_heads,
                      shape.head_dim,
                      1 / std::sqrt(static_cast<float>(shape.head_dim))};
  const int pairs = rows.size() * shape.n_heads;
  auto* lse = partial_.fit<float>(static_cast<size_t>(pairs));
  auto* mass = results_.fit<float>(out.size());
  queue(ScoreLse{pairs, k.rows, scores, lse});
  queue(AttentionMass{k.rows, shape.n_kv_heads, scores, rows.size(), lse, {mass, k.rows}});
  fetch(mass, out);
}

void CudaBackend::cosine_rows(Tensor a, Tensor b, std::span<float> out) {
  UNMASK_CHECK(a.rows == b.rows && a.cols == b.cols && out.size() == static_cast<size_t>(a.rows),
               "shapes of similarities");
  if (out.empty()) return;
  auto* cosines = results_.fit<float>(out.size());
  queue(Cosine{a.rows, a.cols, view(a), view(b), cosines});
  fetch(cosines, out);
}

void CudaBackend::row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) {
  UNMASK_CHECK(
      a.rows == rows.size() && a.cols == b.cols && out.size() == static_cast<size_t>(a.rows),
      "shapes of changes");
  if (out.empty()) return;
  auto* changes = results_.fit<float>(out.size());
  queue(RowChange{a.rows, a.cols, view(a), view(b), on_device(rows), changes});
  fetch(changes, out);
}

}  // namespace

std::unique_ptr<Backend> create_backend(const CudaOptions& options) {
  if (options.threads < 0) fail("[threads] found {}, expected at least 1", options.threads);
  if (options.ranks == nullptr) return std::make_unique<CudaBackend>(options);
  std::unique_ptr<CudaBackend> backend;
  std::string problem;
  try {
    backend = std::make_unique<CudaBackend>(options);
  } catch (const std::exception& error) {  // also std::bad_alloc: the others wait for a word
    problem = error.what();
  }
  agree_to_start(*options.ranks, problem);
  backend->join(*options.ranks);
  return backend;
}

void gather_columns(Backend& backend, std::span<const CutColumns> matrices) {
  static_cast<CudaBackend&>(backend).columns().run(matrices);
}

}  // namespace unmask::cuda
