#include "session/loaded_model.h"

#include "core/platform/processor.h"
#include "model/families.h"

namespace unmask {

namespace {

using enum WeightType;
constexpr WeightType kWeightTypes[] = {f32, bf16, int8, int4};

std::unique_ptr<Backend> create_backend(DeviceKind device, int threads, WeightType weights) {
  if (device == DeviceKind::cuda) return create_cuda_backend({.threads = threads});
  return create_cpu_backend({.threads = threads, .weights = weights});
}

}  // namespace

std::vector<std::string> weight_type_names() {
  std::vector<std::string> names{"auto"};
  for (const WeightType type : kWeightTypes) names.emplace_back(weight_type_name(type));
  return names;
}

std::optional<WeightType> parse_weight_type(std::string_view name) {
  if (name == "auto") return std::nullopt;
  for (const WeightType type : kWeightTypes) {
    if (weight_type_name(type) == name) return type;
  }
  fail("[dtype] unknown type '{}'; use one of {}", printable(name),
       fmt::join(weight_type_names(), ", "));
}

std::string_view device_kind_name(DeviceKind kind) {
  return kind == DeviceKind::cuda ? "cuda" : "cpu";
}

std::vector<std::string> device_names() { return {"cpu", "cuda", "auto"}; }

FoundDevice find_device(std::string_view name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {DeviceKind::cuda, {}};
  if (name != "auto") {
    fail("[device] unknown device '{}'; use one of {}", printable(name),
         fmt::join(device_names(), ", "));
  }
  try {
    create_cuda_backend({.threads = 1});
    return {DeviceKind::cuda, {}};
  } catch (const Error& error) {
    return {DeviceKind::cpu, error.what()};
  }
}

WeightType resolve_weight_type(std::optional<WeightType> wanted, DeviceKind device,
                               const Checkpoint& checkpoint, const ModelConfig& config) {
  if (device == DeviceKind::cuda) {
    if (wanted.value_or(bf16) == bf16) return bf16;
    fail("[dtype] {}: a CUDA device computes with bf16 only; use --dtype bf16 or --device cpu",
         weight_type_name(*wanted));
  }
  if (wanted) return *wanted;
  const auto name = tensor_name(config, TensorRole::q, 0);
  const bool stored_narrow =
      checkpoint.contains(name) && checkpoint.at(name).element_type() == DType::bf16;
  return stored_narrow && detect_isa() >= IsaLevel::avx512 ? bf16 : f32;
}

LoadedModel::LoadedModel(const std::filesystem::path& directory, const LoadOptions& options)
    : directory_(directory),
      config_(load_model_config(directory)),
      checkpoint_(directory),
      device_(options.device),
      weight_type_(resolve_weight_type(options.weights, device_, checkpoint_, config_)),
      backend_(create_backend(device_, options.threads, weight_type_)),
      weights_(load_weights(checkpoint_, config_, *backend_, options.progress)),
      transformer_(std::make_unique<Transformer>(config_, weights_, *backend_)) {}

const Tokenizer& LoadedModel::tokenizer() {
  if (!tokenizer_) tokenizer_ = Tokenizer::load(directory_);
  return *tokenizer_;
}

}  // namespace unmask
