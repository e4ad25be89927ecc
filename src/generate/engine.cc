#include "generate/engine.h"

#include <algorithm>
#include <chrono>

#include "generate/sequence.h"

namespace unmask {

namespace {

using Clock = std::chrono::steady_clock;

// Rows of logits that exist at a time: 64 x 126,464 floats are 32 MB, whatever the canvas holds.
constexpr int kLogitRows = 64;

/// One generate() call.
class Run {
 public:
  Run(Transformer& model, std::span<const Request> requests, const StepCallback& on_step)
      : model_(model), on_step_(on_step) {
    for (const Request& request : requests) check_request(request, model.config());
    for (const Request& request : requests) {
      sequences_.push_back(std::make_unique<Sequence>(request, model.config()));
    }
    results_.resize(requests.size());
  }

  std::vector<Result> run() {
    while (step()) {
    }
    for (size_t i = 0; i < sequences_.size(); ++i) finish(i);
    return std::move(results_);
  }

 private:
  /// A sequence's part of one forward pass.
  struct Part {
    size_t sequence;
    Range rows;           // of the hidden states
    Range unconditional;  // of guidance; empty without
  };

  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  /// One step of every live sequence. False when none is left.
  bool step();
  /// Takes the planned step of a sequence and those after it without asking between them, as far as
  /// the backend and the plan allow. False when they do not.
  bool take_series(size_t i, Slice& slice);
  /// Logits of hidden rows, tile by tile, each with the number of its first row.
  template <typename Use>
  void for_logits(Tensor hidden, const Use& use);
  std::vector<TokenStats> statistics(const Sequence& sequence, Tensor hidden);
  /// Takes over a step whose decisions `apply` hands to the sequence.
  template <typename Apply>
  void advance(size_t i, int rows, double seconds, const Apply& apply);
  void finish(size_t i);

  Transformer& model_;
  const StepCallback& on_step_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
  std::vector<Result> results_;
  Buffer logits_;
  Clock::time_point start_ = Clock::now();
};

bool Run::step() {
  std::vector<Slice> batch;
  std::vector<Part> parts;
  std::vector<std::pair<size_t, int>> live;  // sequence and the rows it computes
  int hidden_rows = 0;
  const auto add = [&](Slice slice) {
    const Range rows{hidden_rows, hidden_rows + slice.wanted.size()};
    hidden_rows = rows.end;
    batch.push_back(std::move(slice));
    return rows;
  };
  for (size_t i = 0; i < sequences_.size(); ++i) {
    Sequence& s = *sequences_[i];
    if (s.done()) continue;
    Slice slice = s.plan();
    const int passes = slice.plan.rows.empty() ? 0 : (s.guided() ? 2 : 1);
    live.emplace_back(i, passes * slice.plan.rows.size());
    results_[i].forward_passes += passes;
    results_[i].rows += live.back().second;
    if (passes == 0) continue;
    Part part{i, add(std::move(slice)), {}};
    if (s.guided()) part.unconditional = add(s.plan_unconditional());
    parts.push_back(part);
  }
  if (live.empty()) return false;
  if (live.size() == 1 && batch.size() == 1 && take_series(live[0].first, batch[0])) return true;

  const Tensor hidden = batch.empty() ? Tensor{} : model_.forward(batch);
  std::vector<std::vector<TokenStats>> stats(sequences_.size());
  for (const Part& part : parts) {
    const Sequence& s = *sequences_[part.sequence];
    const Tensor own = hidden.slice(part.rows);
    // Guidance is linear in the logits and the head is linear, so it is applied before the head.
    if (s.guided()) {
      model_.backend().extrapolate(own, hidden.slice(part.unconditional),
                                   static_cast<float>(s.request().cfg_scale + 1));
    }
    stats[part.sequence] = statistics(s, own);
  }
  for (const auto& step : live) {
    const size_t i = step.first;
    advance(i, step.second, seconds(), [&](Sequence& s) { s.apply(stats[i]); });
  }
  return true;
}

bool Run::take_series(size_t i, Slice& slice) {
  Sequence& s = *sequences_[i];
  const std::optional<SeriesPlan> plan = s.plan_series(slice.plan);
  if (!plan) return false;
  const std::unique_ptr<StepSeries> series = model_.backend().series(*plan);
  if (!series) return false;
  slice.series = series.get();
  const double begin = seconds();
  const std::vector<Revealed> revealed = series->run([&] {
    for_logits(model_.forward({&slice, 1}),
               [&](Tensor logits, int first) { series->choose(logits, first); });
  });
  // Equal steps take equal times.
  const auto steps = static_cast<int>(plan->counts.size());
  const double each = (seconds() - begin) / steps;
  const std::vector<int> positions = s.candidates();
  const bool had_text = results_[i].seconds_to_first_text > 0;
  results_[i].forward_passes += steps - 1;
  results_[i].rows += int64_t{steps - 1} * slice.plan.rows.size();
  for (int step = 0; step < steps && !s.done(); ++step) {
    std::vector<Decision> decided;
    for (size_t c = 0; c < revealed.size(); ++c) {
      const Revealed& r = revealed[c];
      if (r.step == step) decided.push_back({positions[c], r.token, r.confidence});
    }
    advance(i, slice.plan.rows.size(), begin + each * (step + 1),
            [&](Sequence& sequence) { sequence.apply(std::move(decided)); });
  }
  // Steps share their time, but nothing was known here before the last, wherever the text ended.
  Result& r = results_[i];
  r.seconds = begin + each * steps;
  if (!had_text && r.seconds_to_first_text > 0) r.seconds_to_first_text = r.seconds;
  return true;
}

template <typename Use>
void Run::for_logits(Tensor hidden, const Use& use) {
  const int vocab = model_.config().vocab_size;
  const int tile_rows = std::min(kLogitRows, std::max(1, hidden.rows));
  const size_t bytes = dense_bytes(tile_rows, vocab, DType::f32);
  if (logits_.bytes() < bytes) logits_ = model_.backend().allocate(bytes);
  for (int begin = 0; begin < hidden.rows; begin += tile_rows) {
    const int n = std::min(tile_rows, hidden.rows - begin);
    const Tensor logits = logits_.view(n, vocab);
    model_.logits(hidden.slice({begin, begin + n}), logits);
    use(logits, begin);
  }
}

std::vector<TokenStats> Run::statistics(const Sequence& sequence, Tensor hidden) {
  const TokenQuery query = sequence.query();
  const std::span<const int> positions = sequence.candidates();
  std::vector<TokenStats> stats(positions.size());
  for_logits(hidden, [&](Tensor logits, int begin) {
    const auto first = static_cast<size_t>(begin);
    const auto count = static_cast<size_t>(logits.rows);
    model_.backend().token_stats(logits, positions.subspan(first, count), query,
                                 std::span(stats).subspan(first, count));
  });
  return stats;
}

template <typename Apply>
void Run::advance(size_t i, int rows, double seconds, const Apply& apply) {
  Sequence& s = *sequences_[i];
  Result& r = results_[i];
  const Range block = s.step().block;
  const int index = s.step_index();
  apply(s);
  r.steps = s.step_index();
  r.seconds = seconds;
  const Request& request = s.request();
  const auto first = static_cast<size_t>(request.prompt_length);
  if (r.seconds_to_first_text == 0 && s.tokens()[first] != model_.config().mask_id) {
    r.seconds_to_first_text = r.seconds;
  }
  if (!on_step_) return;
  const StepEvent event{.sequence = static_cast<int>(i),
                        .step = index,
                        .total_steps = request.steps,
                        .block = block,
                        .tokens = s.tokens(),
                        .decided = s.decided(),
                        .rows = rows,
                        .masks_left = s.masks_left(),
                        .seconds = r.seconds};
  if (!on_step_(event) && !s.done()) s.cancel();
}

void Run::finish(size_t i) {
  const Sequence& s = *sequences_[i];
  Result& r = results_[i];
  r.tokens = s.tokens();
  r.masks_left = s.masks_left();
  r.stopped_early = s.stopped_early();
  r.cancelled = s.cancelled();
  r.answer = s.request().generated();
  for (int p = r.answer.begin; p < r.answer.end; ++p) {
    const auto& eos = s.request().eos_ids;
    if (std::count(eos.begin(), eos.end(), r.tokens[static_cast<size_t>(p)]) == 0) continue;
    r.answer.end = p;
    break;
  }
}

/// Numbers that divide `n`, closest to `wanted` from both sides, for the hint of an error.
std::string nearest_divisors(int n, int wanted) {
  int below = std::min(wanted, n);
  while (n % below != 0) --below;
  int above = std::min(std::max(wanted, 1), n);
  while (n % above != 0) ++above;
  return below == above ? std::to_string(below) : fmt::format("{} or {}", below, above);
}

}  // namespace

Request append_masks(std::vector<TokenId> prompt, int gen_length, TokenId mask_id) {
  if (gen_length < 1) fail("[request] gen_length: found {}, expected at least 1", gen_length);
  Request request;
  request.prompt_length = static_cast<int>(prompt.size());
  request.tokens = std::move(prompt);
  request.tokens.resize(request.tokens.size() + static_cast<size_t>(gen_length), mask_id);
  request.block_length = gen_length;
  request.steps = gen_length;
  return request;
}

void check_request(const Request& request, const ModelConfig& config) {
  check_options(request.sampler);
  const int length = request.gen_length();
  if (length < 1) fail("[request] gen_length: found {}, expected at least 1", length);
  if (request.block_length < 1 || length % request.block_length != 0) {
    fail("[request] block_length {} does not divide gen_length {}; use {}", request.block_length,
         length, nearest_divisors(length, std::max(request.block_length, 1)));
  }
  const int blocks = length / request.block_length;
  if (request.steps < blocks || request.steps % blocks != 0) {
    fail("[request] steps {} cannot be spread over {} blocks of {}; use a multiple of {}, e.g. {}",
         request.steps, blocks, request.block_length, blocks,
         std::max(1, request.steps / blocks) * blocks);
  }
  if (!(request.cfg_scale >= 0)) {
    fail("[request] cfg_scale: found {}, expected a number >= 0", request.cfg_scale);
  }
  for (const TokenId id : request.tokens) {
    if (id < 0 || id >= config.vocab_size) {
      fail("[request] token id {} is outside the vocabulary of {}", id, config.vocab_size);
    }
  }
  for (const TokenId id : request.eos_ids) {
    if (id < 0 || id >= config.vocab_size) {
      fail("[request] end token id {} is outside the vocabulary of {}", id, config.vocab_size);
    }
  }
  const auto method = create_method(request.method, {config});
  if (method->needs_order() && request.sampler.algorithm != Algorithm::random) {
    fail(
        "[method] '{}' needs to know beforehand which positions a step decides: use algorithm "
        "random, not '{}'",
        printable(request.method), algorithm_name(request.sampler.algorithm));
  }
}

std::vector<Result> generate(Transformer& model, std::span<const Request> requests,
                             const StepCallback& on_step) {
  return Run(model, requests, on_step).run();
}

}  // namespace unmask
