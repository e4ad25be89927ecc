#include "methods/dllm_cache.h"

#include <limits>

#include "methods/lengthened.h"
#include "methods/selection.h"

namespace unmask {

DllmCache::Outputs& DllmCache::outputs_of(const LayerScope& scope) {
  if (scope.layer > static_cast<int>(outputs_.size())) outputs_.resize(outputs_.size() + 1);
  Outputs& outputs = outputs_[static_cast<size_t>(scope.layer) - 1];
  const int known = scope.store.slots();
  const int length = scope.step.length();
  if (known < length) {
    for (Buffer* buffer : {&outputs.attention, &outputs.feed_forward}) {
      *buffer = lengthened(scope.backend, *buffer, known,
                           {scope.backend.activation_type(), length, scope.dim});
    }
  }
  return outputs;
}

LayerPlan DllmCache::plan_layer(LayerScope& scope) {
  // The first layer sees which tokens are new, so it is always computed whole.
  if (scope.layer == 0) return {};
  const Step& step = scope.step;
  const DType type = scope.backend.activation_type();
  const Outputs& outputs = outputs_of(scope);
  const bool grown = scope.store.slots() < step.length();
  std::vector<int> rows;
  const auto append = [&](const Rows& part) { rows.insert(rows.end(), part.begin(), part.end()); };
  if (step.index % options_.prompt_interval == 0) append(Rows(Range{0, step.prompt_length}));
  if (step.index % options_.gen_interval == 0 || grown) {
    append(Rows(Range{step.prompt_length, step.length()}));
  } else if (options_.transfer > 0) {
    append(moved(scope));
  }
  return {.rows = Rows(std::move(rows)),
          .attn_out = outputs.attention.view(step.length(), scope.dim, type),
          .ffn_out = outputs.feed_forward.view(step.length(), scope.dim, type)};
}

Attention DllmCache::attend(AttendScope& scope) {
  if (scope.layer == 0) return {{scope.k, scope.v}};
  return PositionCache::attend(scope);
}

/// Positions whose value vectors are least similar to the stored ones. The new values replace the
/// stored ones of the whole response: they were computed anyway.
Rows DllmCache::moved(LayerScope& scope) const {
  const Range generated{scope.step.prompt_length, scope.step.length()};
  const Tensor fresh = scope.project_values(Rows(generated));
  const Tensor stored = scope.store.values().slice(generated);
  std::vector<float> similarity(static_cast<size_t>(generated.size()));
  scope.backend.cosine_rows(fresh, stored, similarity);
  scope.store.put_values(scope.backend, Rows(generated), fresh);
  std::vector<int> rows;
  for (const int i : smallest(similarity, static_cast<int>(generated.size() * options_.transfer))) {
    rows.push_back(generated.begin + i);
  }
  return Rows(std::move(rows));
}

size_t DllmCache::state_bytes() const {
  size_t sum = 0;
  for (const Outputs& o : outputs_) sum += o.attention.bytes() + o.feed_forward.bytes();
  return sum;
}

std::unique_ptr<Method> create_dllm_cache(Options& options, const MethodContext& /*context*/) {
  constexpr int kMax = std::numeric_limits<int>::max();
  const DllmCacheOptions defaults;
  return std::make_unique<DllmCache>(DllmCacheOptions{
      .prompt_interval = options.count("prompt_interval", defaults.prompt_interval, 1, kMax),
      .gen_interval = options.count("gen_interval", defaults.gen_interval, 1, kMax),
      .transfer = options.number("transfer", defaults.transfer, 0, 1)});
}

}  // namespace unmask
