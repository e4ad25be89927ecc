// LoRA adapters merged into the weights of a model, tensor by tensor while they are loaded.
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/parallel.h"
#include "io/lora.h"
#include "kernels/backend.h"
#include "model/families.h"

namespace unmask {

/// An adapter and what its changes are multiplied by; modules that it replaces it replaces whole.
struct ScaledAdapter {
  const LoraAdapter* adapter = nullptr;
  float scale = 1;
};

/// A stored matrix [out, in], or a vector of n values as [n, n].
HostMatrix host_matrix(const StoredTensor& tensor);

class Adaptation {
 public:
  /// Finds the tensor of the model that each tensor of the adapters belongs to. The adapters
  /// outlive it. Throws Error naming tensor, found and expected when one fits none, or when two
  /// adapters replace the same.
  Adaptation(std::span<const ScaledAdapter> adapters, const ModelConfig& config);

  /// What stands in for `stored` before changes are added: itself, or what an adapter replaces it
  /// with.
  const StoredTensor& base_of(const TensorSpec& spec, const StoredTensor& stored) const;
  bool changes(const TensorSpec& spec) const { return changes_.contains(spec.name); }
  /// W + sum of scale B A in float32, [out, in], whatever format W is stored in: for each adapter
  /// the product first, then its scale, as PEFT merges.
  std::vector<float> merged(const TensorSpec& spec, const StoredTensor& base,
                            ThreadPool& pool) const;

 private:
  struct Change {
    const LoraPair* pair;
    float scale;
  };
  void add(const ScaledAdapter& adapter, const ModelConfig& config,
           std::span<const TensorSpec> specs);

  std::unordered_map<std::string, std::vector<Change>> changes_;
  std::unordered_map<std::string, const StoredTensor*> replacements_;
};

}  // namespace unmask
