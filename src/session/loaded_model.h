// A model directory, ready to generate: weights on a backend, tokenizer, configuration.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "generate/engine.h"
#include "io/text/tokenizer.h"
#include "kernels/create_backend.h"
#include "model/transformer.h"

namespace unmask {

/// What --dtype takes, "auto" first.
std::vector<std::string> weight_type_names();
/// The type of that name; null for "auto". Throws Error for another name.
std::optional<WeightType> parse_weight_type(std::string_view name);

/// What computes.
enum class DeviceKind : uint8_t { cpu, cuda };

/// As --device spells it.
std::string_view device_kind_name(DeviceKind kind);
/// What --device takes.
std::vector<std::string> device_names();

struct FoundDevice {
  DeviceKind kind = DeviceKind::cpu;
  std::string missing;  // "auto" on the cpu: why there is nothing better
};
/// The device of that name; "auto" is a CUDA device where there is one. Throws Error for another
/// name.
FoundDevice find_device(std::string_view name);

/// `wanted`, or without it bf16 where the checkpoint is bf16 and the processor multiplies it, else
/// f32. On a CUDA device always bf16; throws Error when something else is wanted there.
WeightType resolve_weight_type(std::optional<WeightType> wanted, DeviceKind device,
                               const Checkpoint& checkpoint, const ModelConfig& config);

struct LoadOptions {
  DeviceKind device = DeviceKind::cpu;
  std::optional<WeightType> weights = std::nullopt;  // null: see resolve_weight_type
  int threads = 0;                                   // 0: every processor this process may use
  LoadProgress progress = {};                        // optional
};

class LoadedModel {
 public:
  /// Throws Error with a one-line reason when the directory is not a complete, supported model.
  explicit LoadedModel(const std::filesystem::path& directory, const LoadOptions& options = {});

  LoadedModel(const LoadedModel&) = delete;  // the transformer refers to its members
  LoadedModel& operator=(const LoadedModel&) = delete;

  const std::filesystem::path& directory() const { return directory_; }
  const ModelConfig& config() const { return config_; }
  Transformer& transformer() { return *transformer_; }
  Backend& backend() const { return *backend_; }
  const Weights& weights() const { return weights_; }
  DeviceKind device() const { return device_; }
  WeightType weight_type() const { return weight_type_; }
  int64_t checkpoint_bytes() const { return checkpoint_.total_bytes(); }
  /// Read at the first call: a generation from token ids needs none. Throws Error.
  const Tokenizer& tokenizer();

 private:
  std::filesystem::path directory_;
  ModelConfig config_;
  Checkpoint checkpoint_;
  DeviceKind device_;
  WeightType weight_type_;
  std::unique_ptr<Backend> backend_;
  Weights weights_;
  std::unique_ptr<Transformer> transformer_;
  std::optional<Tokenizer> tokenizer_;
};

}  // namespace unmask
