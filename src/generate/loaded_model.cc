#include "generate/loaded_model.h"

#include "core/cpu_info.h"
#include "model/families.h"

namespace unmask {

WeightType parse_weight_type(std::string_view name) {
  if (name == "auto") return WeightType::automatic;
  if (name == "f32") return WeightType::f32;
  if (name == "bf16") return WeightType::bf16;
  fail("[dtype] unknown type '{}'; use auto, f32 or bf16", printable(name));
}

DType resolve_weight_type(WeightType wanted, const Checkpoint& checkpoint,
                          const ModelConfig& config) {
  if (wanted == WeightType::f32) return DType::f32;
  if (wanted == WeightType::bf16) return DType::bf16;
  const auto name = tensor_name(config, TensorRole::q, 0);
  const bool stored_narrow =
      checkpoint.contains(name) && checkpoint.at(name).element_type() == DType::bf16;
  return stored_narrow && detect_isa() >= IsaLevel::avx512 ? DType::bf16 : DType::f32;
}

LoadedModel::LoadedModel(const std::filesystem::path& directory, const LoadOptions& options)
    : directory_(directory),
      config_(load_model_config(directory)),
      checkpoint_(directory),
      weight_type_(resolve_weight_type(options.weights, checkpoint_, config_)),
      backend_(create_cpu_backend({.threads = options.threads, .weights = weight_type_})),
      weights_(load_weights(checkpoint_, config_, *backend_, options.progress)),
      transformer_(std::make_unique<Transformer>(config_, weights_, *backend_)) {}

const Tokenizer& LoadedModel::tokenizer() {
  if (!tokenizer_) tokenizer_ = Tokenizer::load(directory_);
  return *tokenizer_;
}

}  // namespace unmask
