// A checkpoint loaded onto a backend, as the tests of the engine need it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "kernels/create_backend.h"
#include "methods/full.h"
#include "model/transformer.h"

namespace unmask::testing {

/// Everything that must live as long as a transformer.
struct LoadedModel {
  LoadedModel(const std::filesystem::path& path, std::unique_ptr<Backend> on,
              const ModelOverrides& overrides = {})
      : backend(std::move(on)),
        config(load_model_config(path, overrides)),
        opened(open_checkpoint(path, config)),
        checkpoint(*opened),
        weights(load_weights(checkpoint, config, *backend)),
        transformer(config, weights, *backend) {}

  std::unique_ptr<Backend> backend;
  ModelConfig config;
  std::unique_ptr<TensorDirectory> opened;
  const TensorDirectory& checkpoint;
  Weights weights;
  Transformer transformer;
};

/// "reference" or "cpu" with two threads, float32.
inline std::unique_ptr<Backend> make_backend(const std::string& name) {
  return name == "reference" ? create_reference_backend() : create_cpu_backend({.threads = 2});
}

/// Logits [n, vocab] of every position.
inline std::vector<float> all_logits(LoadedModel& model, const std::vector<TokenId>& ids,
                                     Method& method) {
  std::vector<KvStore> stores(static_cast<size_t>(model.config.n_layers));
  Step step;
  step.block = {0, static_cast<int>(ids.size())};
  step.tokens = ids;
  step.mask_id = model.config.mask_id;
  const Rows rows(step.all());
  std::vector<SequencePass> batch;
  batch.push_back({step, method.plan_step(step), &method, &stores, rows});
  const Tensor hidden = model.transformer.forward(batch);
  const size_t n = ids.size() * static_cast<size_t>(model.config.vocab_size);
  const Buffer buffer = model.backend->allocate(n * sizeof(float));
  const Tensor logits = buffer.view(hidden.rows, model.config.vocab_size);
  model.transformer.logits(hidden, logits);
  return {logits.f32(), logits.f32() + n};
}

inline std::vector<float> all_logits(LoadedModel& model, const std::vector<TokenId>& ids) {
  Full full;
  return all_logits(model, ids, full);
}

}  // namespace unmask::testing
