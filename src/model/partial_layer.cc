// The other path of the layer loop: layers of which a method wants only some rows computed.
#include <functional>

#include "model/transformer.h"

namespace unmask {

std::vector<LayerPlan> Transformer::plan_layer(int layer, std::span<SequencePass> batch,
                                               std::span<const Range> rows, Tensor normed) {
  std::vector<LayerPlan> plans;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Tensor own = normed.slice(rows[i]);
    const std::function<Tensor(const Rows&)> project_values = [&](const Rows& some) {
      return parts_.project_values(layer, own, some);
    };
    LayerScope scope{.layer = layer,
                     .step = batch[i].step,
                     .backend = backend_,
                     .store = (*batch[i].stores)[static_cast<size_t>(layer)],
                     .dim = config_.dim,
                     .project_values = project_values};
    plans.push_back(batch[i].method->plan_layer(scope));
  }
  return plans;
}

void Transformer::partial_layer(int layer, std::span<SequencePass> batch, const LayerRows& all,
                                std::span<const LayerPlan> plans, Tensor normed, Tensor x) {
  const PartialRows some(batch, all, plans);
  const Tensor output = memory_.fit(Workspace::output, some.in_batch.size(), config_.dim);
  const auto add = [&](Tensor LayerPlan::*remembered) {
    for (size_t i = 0; i < plans.size(); ++i) {
      const Tensor fresh = output.slice(some.rows.parts[i].keys);
      const Tensor kept = plans[i].*remembered;
      if (kept) backend_.scatter(fresh, plans[i].rows, kept);
      backend_.add(x.slice(all.parts[i].keys), kept ? kept : fresh);
    }
  };
  backend_.gather(normed, some.in_batch, output);
  // The product reads the attention's own memory, so it may overwrite the gathered rows.
  parts_.attention(layer, batch, some.rows, output, output, output, Into::store);
  add(&LayerPlan::attn_out);
  const Tensor input = normed.slice({0, some.in_batch.size()});  // the norms have been used
  backend_.gather(x, some.in_batch, input);
  parts_.feed_forward(layer, input, output, Into::store);
  add(&LayerPlan::ffn_out);
}

}  // namespace unmask
