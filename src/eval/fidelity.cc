#include "eval/fidelity.h"

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/stop.h"
#include "eval/attention_math.h"
#include "eval/seen_keys.h"
#include "generate/logit_tiles.h"
#include "generate/single_pass.h"

namespace unmask {

namespace {

/// What one head of one layer retains, over the queries of one step.
struct Retained {
  double mass = 0;            // mean over the queries
  double relative_error = 0;  // of their outputs together
};

/// One head's keys and values of a full pass.
struct HeadRows {
  std::vector<float> q, k, v;  // [length, dim]
  size_t dim;

  std::span<const float> query(int position) const {
    return std::span(q).subspan(static_cast<size_t>(position) * dim, dim);
  }
};

/// Mass and squared output error of one query.
struct QueryLoss {
  double mass;
  double squared_error;
  double squared_norm;
};

/// Of the keys before `end`, which the model lets the query see.
QueryLoss loss_of(const HeadRows& rows, int query, int end, const std::vector<bool>& seen) {
  std::vector<double> p(static_cast<size_t>(end));
  attention_scores(rows.query(query), rows.k, p);
  softmax(p);
  double mass = 0;
  std::vector<double> full(rows.dim, 0);
  std::vector<double> kept(rows.dim, 0);
  for (size_t j = 0; j < p.size(); ++j) {
    if (seen[j]) mass += p[j];
    for (size_t d = 0; d < rows.dim; ++d) {
      const double part = p[j] * static_cast<double>(rows.v[j * rows.dim + d]);
      full[d] += part;
      if (seen[j]) kept[d] += part;
    }
  }
  QueryLoss loss{mass, 0, 0};
  for (size_t d = 0; d < rows.dim; ++d) {
    const double out = mass > 0 ? kept[d] / mass : 0;
    loss.squared_error += (out - full[d]) * (out - full[d]);
    loss.squared_norm += full[d] * full[d];
  }
  return loss;
}

/// Full attention that looks at what another method would have left out.
class LossProbe final : public Method {
 public:
  explicit LossProbe(const std::vector<SeenKeys>& seen) : seen_(seen) {}

  std::string_view name() const override { return "full"; }
  StepPlan plan_step(const Step& step) override {
    return {.rows = Rows(step.all()), .queries = step.all()};
  }
  Attention attend(AttendScope& scope) override;

  /// Of each layer and head, layer by layer.
  const std::vector<Retained>& retained() const { return retained_; }

 private:
  const std::vector<SeenKeys>& seen_;
  std::vector<Retained> retained_;
};

Attention LossProbe::attend(AttendScope& scope) {
  const HeadShape& shape = scope.shape;
  const int group = shape.n_heads / shape.n_kv_heads;
  const SeenKeys& seen = seen_[static_cast<size_t>(scope.layer)];
  const Range block = scope.step.block;
  for (int head = 0; head < shape.n_heads; ++head) {
    const int kv_head = head / group;
    const HeadRows rows{download_head(scope.backend, scope.q, head, shape.head_dim),
                        download_head(scope.backend, scope.k, kv_head, shape.head_dim),
                        download_head(scope.backend, scope.v, kv_head, shape.head_dim),
                        static_cast<size_t>(shape.head_dim)};
    QueryLoss sum{0, 0, 0};
    for (int query = block.begin; query < block.end; ++query) {
      const int length = scope.step.length();
      const QueryLoss loss = loss_of(rows, query, scope.visibility.end(query, length),
                                     seen.seen_by(query, head, kv_head, length));
      sum.mass += loss.mass;
      sum.squared_error += loss.squared_error;
      sum.squared_norm += loss.squared_norm;
    }
    retained_.push_back(
        {sum.mass / block.size(),
         sum.squared_norm > 0 ? std::sqrt(sum.squared_error / sum.squared_norm) : 0});
  }
  return {{scope.k, scope.v}};
}

/// Compares the steps of one generation with full passes over the same canvases.
class Comparison {
 public:
  Comparison(Transformer& model, const Request& request)
      : model_(model),
        request_(request),
        canvas_(request.tokens),
        seen_(static_cast<size_t>(model.config().n_layers)),
        logits_(model) {}

  std::vector<SeenKeys>& seen() { return seen_; }
  void add(const StepEvent& event);
  Fidelity result(const Result& own, const Result& full) const;

 private:
  void compare_decisions(const StepEvent& event, std::span<const int> positions, Tensor hidden);

  Transformer& model_;
  const Request& request_;
  std::vector<TokenId> canvas_;  // before the step
  std::vector<SeenKeys> seen_;
  LogitTiles logits_;
  int steps_ = 0;
  int decided_ = 0;
  int agreed_ = 0;
  double error_ = 0;          // sum over steps, layers and heads
  std::vector<double> mass_;  // sum over steps, of each layer and head
};

void Comparison::add(const StepEvent& event) {
  if (event.rows > 0) {
    std::vector<int> positions;
    for (const Decision& d : event.decided) positions.push_back(d.position);
    LossProbe probe(seen_);
    SinglePass pass(model_.config(), probe, canvas_, event.block);
    SequencePass slice = pass.slice(positions);
    compare_decisions(event, positions, model_.forward({&slice, 1}));
    mass_.resize(probe.retained().size(), 0);
    for (size_t i = 0; i < mass_.size(); ++i) {
      mass_[i] += probe.retained()[i].mass;
      error_ += probe.retained()[i].relative_error;
    }
    ++steps_;
  }
  canvas_.assign(event.tokens.begin(), event.tokens.end());
}

void Comparison::compare_decisions(const StepEvent& event, std::span<const int> positions,
                                   Tensor hidden) {
  if (event.decided.empty()) return;
  const auto count = event.decided.size();
  const TokenQuery query =
      token_query(request_.sampler, model_.config().mask_id, request_.eos_ids, event.step);
  std::vector<TokenStats> stats(count);
  logits_.each(hidden, [&](Tensor logits, int first) {
    const auto begin = static_cast<size_t>(first);
    const auto rows = static_cast<size_t>(logits.rows);
    model_.backend().token_stats(logits, positions.subspan(begin, rows), query,
                                 std::span(stats).subspan(begin, rows));
  });
  for (size_t i = 0; i < count; ++i) {
    ++decided_;
    if (stats[i].token == event.decided[i].token) ++agreed_;
  }
}

Fidelity Comparison::result(const Result& own, const Result& full) const {
  Fidelity fidelity;
  const Range generated = request_.generated();
  int equal = 0;
  for (int p = generated.begin; p < generated.end; ++p) {
    const auto i = static_cast<size_t>(p);
    if (own.tokens[i] == full.tokens[i]) ++equal;
  }
  fidelity.token_agreement = static_cast<double>(equal) / generated.size();
  fidelity.step_agreement = decided_ > 0 ? static_cast<double>(agreed_) / decided_ : 1;
  if (steps_ == 0) return fidelity;
  fidelity.output_error = error_ / steps_ / static_cast<double>(mass_.size());
  for (const double sum : mass_) fidelity.retained_mass.push_back(sum / steps_);
  return fidelity;
}

}  // namespace

double Fidelity::mean_retained_mass() const {
  return retained_mass.empty() ? 1
                               : std::accumulate(retained_mass.begin(), retained_mass.end(), 0.0) /
                                     static_cast<double>(retained_mass.size());
}

Fidelity measure_fidelity(Transformer& model, const Request& request, const Result& full,
                          const StepCallback& on_step) {
  if (request.sampler.temperature > 0 || request.cfg_scale > 0) {
    fail(
        "[fidelity] found temperature {} and cfg_scale {}, expected 0: agreement is about the "
        "likeliest tokens of one pass",
        request.sampler.temperature, request.cfg_scale);
  }
  UNMASK_CHECK(full.tokens.size() == request.tokens.size(), "the same request with full attention");
  Comparison comparison(model, request);
  Request watched = request;
  watched.observe = [&](std::unique_ptr<Method> method) {
    return std::make_unique<SeenKeysProbe>(std::move(method), comparison.seen());
  };
  // A step's own hidden states are used up when its event comes, so the model is free for another
  // pass.
  const auto compare = [&](const StepEvent& event) {
    comparison.add(event);
    return !on_step || on_step(event);
  };
  const Result own = generate(model, {&watched, 1}, compare).front();
  if (own.cancelled) throw Stopped{};
  return comparison.result(own, full);
}

}  // namespace unmask
