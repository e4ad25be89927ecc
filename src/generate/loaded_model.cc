#include "generate/loaded_model.h"

#include "core/cpu_info.h"
#include "model/families.h"

namespace unmask {

namespace {

using enum WeightType;
constexpr WeightType kWeightTypes[] = {f32, bf16, int8, int4};

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

WeightType resolve_weight_type(std::optional<WeightType> wanted, const Checkpoint& checkpoint,
                               const ModelConfig& config) {
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
      weight_type_(resolve_weight_type(options.weights, checkpoint_, config_)),
      backend_(create_cpu_backend({.threads = options.threads, .weights = weight_type_})),
      weights_(load_weights(checkpoint_, config_, *backend_, options.progress)),
      transformer_(std::make_unique<Transformer>(config_, weights_, *backend_)) {}

const Tokenizer& LoadedModel::tokenizer() {
  if (!tokenizer_) tokenizer_ = Tokenizer::load(directory_);
  return *tokenizer_;
}

}  // namespace unmask
