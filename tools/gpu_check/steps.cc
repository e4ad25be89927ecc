#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <numeric>
#include <optional>
#include <utility>

#include "bench/random_model.h"
#include "generate/engine.h"
#include "generate/sequence.h"
#include "gpu_check/parts.h"

namespace unmask::tools {

namespace {

// SparseD's own settings (arXiv 2509.24014): the first 20 % of the steps full, 30 % of the blocks.
constexpr double kSkip = 0.2;
constexpr const char* kSparseD = "sparsed:skip={},select=0.3,block=128";

Request request_of(const ModelConfig& config, int prompt, int generated, int steps,
                   const std::string& method) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < prompt; ++i) {
    const auto id = static_cast<TokenId>((int64_t{i} * 7919 + 13) % config.vocab_size);
    tokens.push_back(id == config.mask_id ? 0 : id);
  }
  Request request = append_masks(std::move(tokens), generated, config.mask_id);
  request.steps = steps;
  request.method = method;
  if (config.family == Family::dream) request.sampler.algorithm = Algorithm::entropy;
  return request;
}

/// Seconds of each step.
std::vector<double> run(Transformer& model, const Request& request) {
  std::vector<double> times;
  double last = 0;
  generate(model, std::span(&request, 1), [&](const StepEvent& event) {
    times.push_back(event.seconds - last);
    last = event.seconds;
    return true;
  });
  return times;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Seconds of the kinds of steps.
struct StepTimes {
  double full = 0;
  double measuring = 0;  // SparseD's one step that also chooses the blocks
  double sparse = 0;
};

class StepTimer {
 public:
  StepTimer(const MakeBackend& make, const StepTimesOptions& options, Report& report)
      : options_(options),
        report_(report),
        make_(make),
        model_(parse_shape(options.shape), make({})),
        generated_(options.generated) {}

  /// Three full steps, one that measures and three sparse ones.
  StepTimes time_kinds(int prompt) {
    const ModelConfig& config = model_.config();
    run(model_.transformer(), request_of(config, prompt, generated_, 1, "full"));  // tunes products
    const auto full = run(model_.transformer(), request_of(config, prompt, generated_, 3, "full"));
    const auto sparse = run(model_.transformer(),
                            request_of(config, prompt, generated_, 5, fmt::format(kSparseD, 0)));
    const StepTimes times{median(full), sparse[1], median({sparse[2], sparse[3], sparse[4]})};
    const std::string at = fmt::format("{} + {} tokens", prompt, generated_);
    add("full step, " + at, times.full, "s");
    add("SparseD: step that measures, " + at, times.measuring, "s");
    add("SparseD: sparse step, " + at, times.sparse, "s");
    add("SparseD: full over sparse step, " + at, times.full / times.sparse, "x");
    for (const int steps : {128, 1024}) {
      add(fmt::format("SparseD: gain composed for {} steps, {}", steps, at),
          steps * times.full / composed(times, steps), "x");
    }
    return times;
  }

  void time(int prompt) {
    const StepTimes times = time_kinds(prompt);
    const std::string at = fmt::format("{} + {} tokens", prompt, generated_);
    add("plain step, " + at, plain(prompt), "s");
    by_cudnn(prompt, at);
    cached(prompt, times);
  }

  /// A real run of full steps and one of SparseD against what the step times say.
  void compare(int prompt, int steps, const StepTimes& times) {
    const auto seconds = [&](const std::string& method) {
      const auto each =
          run(model_.transformer(), request_of(model_.config(), prompt, generated_, steps, method));
      double sum = 0;
      for (const double s : each) sum += s;
      return sum;
    };
    const double full = seconds("full");
    const double sparse = seconds(fmt::format(kSparseD, kSkip));
    const std::string at = fmt::format("{} steps, {} + {} tokens", steps, prompt, generated_);
    add("real run: full, " + at, full, "s");
    add("real run: SparseD, " + at, sparse, "s");
    add("real run: gain, " + at, full / sparse, "x");
    // 2 %: what the composition must agree to before its figures mean anything.
    bounded("composed over real, full, " + at, steps * times.full / full);
    bounded("composed over real, SparseD, " + at, composed(times, steps) / sparse);
  }

 private:
  /// Seconds of a whole SparseD generation: as many full steps as the method takes
  /// (SparseD::pass_of).
  static double composed(const StepTimes& t, int steps) {
    const int full = static_cast<int>(steps * kSkip) + 1;
    return full * t.full + t.measuring + (steps - full - 1) * t.sparse;
  }

  /// The same model on a backend of other options, made when first asked for.
  Transformer& with(std::optional<RandomModel>& other, const CudaOptions& options) {
    if (!other) other.emplace(parse_shape(options_.shape), make_(options));
    return other->transformer();
  }

  /// A full step whose attention is cuDNN's; where the library refuses, the check has lost what it
  /// compares with.
  void by_cudnn(int prompt, const std::string& at) {
    if (!model_.transformer().backend().describe().starts_with("cuda")) return;
    try {
      Transformer& model = with(by_cudnn_, {.attention = CudaAttention::cudnn});
      const auto each = run(model, request_of(model_.config(), prompt, generated_, 3, "full"));
      add("full step by cuDNN, " + at, std::min(each[1], each[2]), "s");
    } catch (const Error& error) {
      report_.fail("steps", error.what());
    }
  }

  /// A full step without the exact savings, as published implementations take it: every row goes
  /// through the whole last layer and gets logits.
  double plain(int prompt) {
    constexpr int kTile = 2048;
    Transformer& model = model_.transformer();
    const ModelConfig& config = model.config();
    const Request request = request_of(config, prompt, generated_, 1, "full");
    Sequence sequence(request, config);
    const Buffer memory =
        model.backend().allocate(dense_bytes(kTile, config.vocab_size, DType::f32));
    std::vector<double> times;
    for (int i = 0; i < 2; ++i) {  // the first tunes the products
      SequencePass slice = sequence.plan();
      slice.plan.queries = slice.step.all();
      slice.wanted = Rows(Range{0, static_cast<int>(request.tokens.size())});
      const auto begin = std::chrono::steady_clock::now();
      const Tensor hidden = model.forward({&slice, 1});
      for (int row = 0; row < hidden.rows; row += kTile) {
        const Tensor part = hidden.slice({row, std::min(row + kTile, hidden.rows)});
        model.logits(part, memory.view(part.rows, config.vocab_size));
      }
      float last = 0;  // it waits for all that was queued
      model.backend().download(memory.view(1, 1), &last);
      times.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return times[1];
  }

  /// Sparse-dLLM: two full steps a block, then steps on the cache, that the device takes alone.
  void cached(int prompt, const StepTimes& times) {
    constexpr int kBlock = 32;
    const auto steps = [&](Transformer& model) {
      return run(model,
                 request_of(model_.config(), prompt, kBlock, kBlock, "sparse-dllm:keep=0.5"));
    };
    // All of them: steps that the device takes alone share their time, the recording's with it.
    const auto of_cache = [](const std::vector<double>& each) {
      return std::accumulate(each.begin() + 2, each.end(), 0.0) /
             static_cast<double>(each.size() - 2);
    };
    Transformer& led = with(led_, {.steps = CudaSteps::host});
    if (!std::exchange(tuned_, true)) {  // products of a block's rows are new
      steps(model_.transformer());
      steps(led);
    }
    const auto each = steps(model_.transformer());
    const double step = of_cache(each);
    const std::string at = fmt::format("{} + {} tokens", prompt, kBlock);
    add("Sparse-dLLM: step that builds the cache, " + at, each[1], "s");
    add("Sparse-dLLM: cached step, " + at, 1e3 * step, "ms");
    const double block = each[0] + each[1] + (kBlock - 2) * step;
    add("Sparse-dLLM: gain, a token a step, " + at, kBlock * times.full / block, "x");
    add("Sparse-dLLM: cached step led by the host, " + at, 1e3 * of_cache(steps(led)), "ms");
  }

  void add(const std::string& what, double value, const std::string& unit) {
    report_.add({.part = "steps", .what = name() + ": " + what, .value = value, .unit = unit});
  }
  void bounded(const std::string& what, double ratio) {
    report_.add({.part = "steps",
                 .what = name() + ": " + what,
                 .value = std::abs(ratio - 1),
                 .unit = "off",
                 .at_most = 0.02});
  }
  std::string name() const { return options_.shape; }

  const StepTimesOptions& options_;
  Report& report_;
  const MakeBackend& make_;
  RandomModel model_;
  std::optional<RandomModel> by_cudnn_;
  std::optional<RandomModel> led_;  // by the host
  int generated_;
  bool tuned_ = false;  // for cached steps
};

}  // namespace

void time_steps(const MakeBackend& make, const StepTimesOptions& options, Report& report) {
  StepTimer timer(make, options, report);
  for (const int length : options.lengths) timer.time(length);
}

void check_composition(const MakeBackend& make, const StepTimesOptions& options, Report& report) {
  StepTimer timer(make, options, report);
  const int length = options.lengths.back();
  timer.compare(length, options.real_steps, timer.time_kinds(length));
}

}  // namespace unmask::tools
