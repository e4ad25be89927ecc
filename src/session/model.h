// A model that is ready to generate: its files and its weights on a backend.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "generate/prefix_pool.h"
#include "model/transformer.h"
#include "session/adapters.h"
#include "session/costs.h"
#include "session/device.h"
#include "session/joint_loading.h"
#include "session/model_files.h"

namespace unmask {

struct LoadOptions {
  DeviceKind device = DeviceKind::cpu;
  std::optional<WeightType> weights = std::nullopt;  // none: see resolve_weight_type
  int threads = 0;                                   // 0: every processor this process may use
  std::vector<AdapterChoice> adapters = {};          // merged into the weights
  LoadProgress progress = {};                        // optional
  size_t prefix_bytes = 0;  // of finished blocks that requests leave to others, see PrefixPool
  StopToken stop = {};      // ends loading and steps on the CPU with Stopped
  /// Not null: all ranks load the model, or each its share of it, and compute together. Rank 0 then
  /// uses its model as ever; the others follow().
  JointLoading* joint = nullptr;
};

/// The owner of everything that belongs to a model.
class Model {
 public:
  /// Packs the weights. Throws Error with a one-line reason when they are incomplete or do not fit
  /// the configuration, when an adapter does not fit them, Stopped when told to stop, and what
  /// `progress` throws; RankError for what is wrong on another rank.
  explicit Model(const ModelFiles& files, const LoadOptions& options = {});
  explicit Model(const std::filesystem::path& directory, const LoadOptions& options = {})
      : Model(ModelFiles::open(directory), options) {}

  Model(const Model&) = delete;  // the transformer refers to its members
  Model& operator=(const Model&) = delete;

  const ModelFiles& files() const { return files_; }
  const ModelConfig& config() const { return files_.config(); }
  const Tokenizer& tokenizer() const { return files_.tokenizer(); }
  Transformer& transformer() { return transformer_; }
  Backend& backend() const { return *backend_; }
  const Weights& weights() const { return weights_; }
  DeviceKind device() const { return device_; }
  WeightType weight_type() const { return weight_type_; }
  /// Threads of the host that compute.
  int threads() const { return threads_; }
  /// For EngineOptions::prefixes.
  PrefixPool& prefixes() { return prefixes_; }
  const PrefixPool& prefixes() const { return prefixes_; }
  Costs costs() const { return {config(), sizes_, weight_ranks_}; }

  /// On another rank than 0: computes what rank 0's model does, until that one is gone.
  void follow();

 private:
  ModelFiles files_;
  DeviceKind device_;
  WeightType weight_type_;
  ElementSizes sizes_;
  int threads_;
  int weight_ranks_;                   // that share the weights
  std::vector<LoraAdapter> adapters_;  // an embedding may lie in one of their files
  std::unique_ptr<Backend> backend_;
  Weights weights_;
  Transformer transformer_;
  PrefixPool prefixes_;  // in the backend's memory
};

}  // namespace unmask
