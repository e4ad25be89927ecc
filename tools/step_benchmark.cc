// Time of one denoising step of a model, next to oneDNN's own time for the same matrix products and
// to the attention alone: what the rest of the engine costs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <oneapi/dnnl/dnnl.hpp>
#include <sys/resource.h>

#include "core/cpu_info.h"
#include "generate/loaded_model.h"

namespace unmask::tools {
namespace {

struct Options {
  std::string model;
  int tokens = 512;
  int generated = 32;
  int repeat = 3;
  int threads = 0;
  std::string dtype = "auto";
  bool json = false;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Median of `repeat` timed calls after one that is not counted.
template <typename Work>
double median_seconds(int repeat, const Work& work) {
  work();
  std::vector<double> times;
  for (int i = 0; i < repeat; ++i) {
    const double start = now();
    work();
    times.push_back(now() - start);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// One product shape and how often a step needs it.
struct Product {
  int rows, in, out;
  int count;
};

/// The products of a step in which the last layer runs for the wanted rows only.
std::vector<Product> products_of(const ModelConfig& c, int rows, int wanted) {
  const int q = c.n_heads * c.head_dim;
  const int kv = c.n_kv_heads * c.head_dim;
  const int full = c.n_layers - 1;
  return {{rows, c.dim, q, full},
          {wanted, c.dim, q, 1},
          {rows, c.dim, kv, 2 * c.n_layers},
          {rows, q, c.dim, full},
          {wanted, q, c.dim, 1},
          {rows, c.dim, c.ffn_dim, 2 * full},
          {wanted, c.dim, c.ffn_dim, 2},
          {rows, c.ffn_dim, c.dim, full},
          {wanted, c.ffn_dim, c.dim, 1},
          {wanted, c.dim, c.vocab_size, 1}};
}

/// oneDNN on its own: weights packed as it likes, its own threads, float32 output; input float32
/// for such weights, else bfloat16.
double onednn_seconds(const Product& p, WeightType type, int repeat) {
  using dnnl::memory;
  const auto data_type = type == WeightType::f32 ? memory::data_type::f32 : memory::data_type::bf16;
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc x({p.rows, p.in}, data_type, memory::format_tag::ab);
  const memory::desc w({p.in, p.out}, data_type, memory::format_tag::any);
  const memory::desc y({p.rows, p.out}, memory::data_type::f32, memory::format_tag::ab);
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, w, y), engine);
  const dnnl::matmul product(description);
  // Several copies of the weights, so that each call reads them from memory as a step does.
  const size_t bytes = description.weights_desc().get_size();
  const size_t copies = std::clamp<size_t>((size_t{256} << 20) / bytes, 1, 8);
  std::vector<memory> weights;
  for (size_t i = 0; i < copies; ++i) {
    weights.emplace_back(description.weights_desc(), engine);
    std::memset(weights.back().get_data_handle(), 0, bytes);
  }
  memory input(x, engine);
  memory output(y, engine);
  std::memset(input.get_data_handle(), 0, x.get_size());
  size_t next = 0;
  return median_seconds(repeat, [&] {
    product.execute(stream, {{DNNL_ARG_SRC, input},
                             {DNNL_ARG_WEIGHTS, weights[next++ % copies]},
                             {DNNL_ARG_DST, output}});
    stream.wait();
  });
}

double attention_seconds(LoadedModel& model, int rows, int wanted, int repeat) {
  const ModelConfig& c = model.config();
  const HeadShape shape{c.n_heads, c.n_kv_heads, c.head_dim};
  const auto buffer = [&](int n, int cols) {
    return model.backend().allocate(static_cast<size_t>(n) * static_cast<size_t>(cols) *
                                    sizeof(float));
  };
  const int q_dim = c.n_heads * c.head_dim;
  const int kv_dim = c.n_kv_heads * c.head_dim;
  const Buffer q = buffer(rows, q_dim);
  const Buffer k = buffer(rows, kv_dim);
  const Buffer v = buffer(rows, kv_dim);
  const Buffer out = buffer(rows, q_dim);
  const auto time = [&](int queries) {
    const AttentionTask task{q.view(queries, q_dim),
                             {k.view(rows, kv_dim), v.view(rows, kv_dim)},
                             out.view(queries, q_dim)};
    return median_seconds(repeat, [&] { model.backend().attention(std::span(&task, 1), shape); });
  };
  return time(rows) * (c.n_layers - 1) + time(wanted);
}

/// A prompt of arbitrary ids and a block of masks that one step decides.
Request one_step(const ModelConfig& c, int tokens, int generated) {
  std::vector<TokenId> prompt;
  for (int i = 0; i < tokens - generated; ++i) {
    const TokenId id = (i * 7919 + 13) % c.vocab_size;
    prompt.push_back(id == c.mask_id ? 0 : id);
  }
  Request request = append_masks(prompt, generated, c.mask_id);
  request.steps = 1;
  return request;
}

void report(const Options& o, const nlohmann::json& r) {
  if (o.json) {
    fmt::print("{}\n", r.dump(2));
    return;
  }
  for (const auto& [name, value] : r.items()) fmt::print("{:28} {}\n", name, value.dump());
}

void run(const Options& o) {
  const double start = now();
  LoadedModel model(o.model, {.weights = parse_weight_type(o.dtype), .threads = o.threads});
  const double load = now() - start;
  const ModelConfig& c = model.config();
  if (o.tokens <= o.generated)
    fail("--tokens {} must exceed --generated {}", o.tokens, o.generated);

  const Request request = one_step(c, o.tokens, o.generated);
  const double step =
      median_seconds(o.repeat, [&] { generate(model.transformer(), std::span(&request, 1)); });
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  double products = 0;
  double operations = 0;
  for (const Product& p : products_of(c, o.tokens, o.generated)) {
    products += onednn_seconds(p, model.weight_type(), o.repeat) * p.count;
    operations += 2.0 * p.rows * p.in * p.out * p.count;
  }
  const double attention = attention_seconds(model, o.tokens, o.generated, o.repeat);
  report(o, {{"backend", model.backend().describe()},
             {"tokens", o.tokens},
             {"load_seconds", load},
             {"peak_memory_gib", static_cast<double>(usage.ru_maxrss) / (1 << 20)},
             {"step_seconds", step},
             {"onednn_products_seconds", products},
             {"onednn_products_gflops", operations / products * 1e-9},
             {"attention_seconds", attention},
             {"step_over_sum", step / (products + attention)}});
}

int main_checked(int argc, char** argv) {
  Options o;
  CLI::App app("Time of one denoising step next to that of its parts");
  app.add_option("model", o.model, "model directory")->required();
  app.add_option("--tokens", o.tokens, "rows of the step, prompt and canvas")
      ->capture_default_str();
  app.add_option("--generated", o.generated, "masked positions among them")->capture_default_str();
  app.add_option("--repeat", o.repeat, "timed repetitions")->capture_default_str();
  app.add_option("--threads", o.threads, "0: all");
  app.add_option("--dtype", o.dtype, "auto, f32, bf16, int8 or int4")->capture_default_str();
  app.add_flag("--json", o.json, "print JSON");
  CLI11_PARSE(app, argc, argv);
  run(o);
  return 0;
}

}  // namespace
}  // namespace unmask::tools

int main(int argc, char** argv) {
  try {
    return unmask::tools::main_checked(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_benchmark: error: %s\n", error.what());
    return 1;
  }
}
