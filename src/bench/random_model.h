// A model of any size with random weights, made in memory: for measurements, where the size of a
// model matters and its answers do not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/create_backend.h"
#include "model/transformer.h"

namespace unmask {

/// The configuration that `text` describes: a name of model_shape_names(), followed by changes as
/// in "llada-8b,layers=4,d=2048,heads=16,kv_heads=16,ffn=6144,vocab=4096". Changes without a name
/// are of llada-8b. Throws Error saying what there is.
ModelConfig parse_shape(const std::string& text);

class RandomModel {
 public:
  /// Weights are made tensor by tensor, in bfloat16, and packed as the backend does. `progress` is
  /// told of the bytes made so far, and of all; what it throws ends the making.
  RandomModel(const ModelConfig& config, std::unique_ptr<Backend> backend,
              const LoadProgress& progress = {});
  RandomModel(const RandomModel&) = delete;  // the transformer refers to its members
  RandomModel& operator=(const RandomModel&) = delete;

  const ModelConfig& config() const { return config_; }
  Backend& backend() const { return *backend_; }
  Transformer& transformer() { return *transformer_; }
  const Weights& weights() const { return weights_; }

 private:
  ModelConfig config_;
  std::unique_ptr<Backend> backend_;
  std::vector<std::byte> embedding_;
  Weights weights_;
  std::unique_ptr<Transformer> transformer_;
};

}  // namespace unmask
