#include "bench/random_model.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "bench/model_shapes.h"
#include "bench/random_weights.h"
#include "core/parse_number.h"

namespace unmask {

namespace {

constexpr DType kStored = DType::bf16;
constexpr const char* kDefaultShape = "llada-8b";  // that changes without a name apply to

/// A number that a shape may change, under its name and under those of the two families.
struct Dimension {
  std::string_view name, llada, dream;
};
constexpr std::array kDimensions{
    Dimension{"layers", "n_layers", "num_hidden_layers"},
    Dimension{"d", "d_model", "hidden_size"},
    Dimension{"heads", "n_heads", "num_attention_heads"},
    Dimension{"kv_heads", "n_kv_heads", "num_key_value_heads"},
    Dimension{"ffn", "mlp_hidden_size", "intermediate_size"},
    Dimension{"vocab", "vocab_size", "vocab_size"},
};

/// Special tokens move to the end of a vocabulary that became smaller.
void fit_special_tokens(ModelShape& shape, int vocab) {
  int next = vocab;
  for (nlohmann::ordered_json* file : {&shape.config, &shape.generation}) {
    for (const char* key : {"mask_token_id", "eos_token_id", "pad_token_id", "bos_token_id"}) {
      if (file->contains(key) && (*file)[key].is_number()) (*file)[key] = --next;
    }
  }
  if (shape.config.contains("embedding_size")) shape.config["embedding_size"] = vocab;
}

void change(ModelShape& shape, std::string_view part) {
  const std::string_view name = part.substr(0, part.find('='));
  const auto* found = std::find_if(kDimensions.begin(), kDimensions.end(),
                                   [&](const Dimension& d) { return d.name == name; });
  const auto value = parse_number<int>(part.substr(std::min(part.size(), name.size() + 1)));
  if (found == kDimensions.end() || !value || *value < 1) {
    fail(
        "[shape] found '{}', expected layers, d, heads, kv_heads, ffn or vocab with a number, as "
        "in "
        "layers=4",
        printable(part));
  }
  const bool llada = shape.layers_key == "n_layers";
  shape.config[std::string(llada ? found->llada : found->dream)] = *value;
  if (name == "vocab") fit_special_tokens(shape, *value);
}

int64_t stored_bytes(const TensorSpec& spec) {
  auto bytes = static_cast<int64_t>(dtype_bytes(kStored));
  for (const int64_t size : spec.shape) bytes *= size;
  return bytes;
}

}  // namespace

ModelConfig parse_shape(const std::string& text) {
  if (const size_t mark = text.find('='); mark < text.find(',')) {
    return parse_shape(fmt::format("{},{}", kDefaultShape, text));
  }
  const size_t end = std::min(text.find(','), text.size());
  ModelShape shape = model_shape(text.substr(0, end));
  for (size_t begin = end; begin < text.size();) {
    const size_t next = std::min(text.find(',', begin + 1), text.size());
    change(shape, std::string_view(text).substr(begin + 1, next - begin - 1));
    begin = next;
  }
  return parse_model_config(shape.config.dump(), shape.generation.dump());
}

RandomModel::RandomModel(const ModelConfig& config, std::unique_ptr<Backend> backend,
                         const LoadProgress& progress)
    : config_(config), backend_(std::move(backend)) {
  int64_t total = 0;
  for (const TensorSpec& spec : tensor_specs(config_)) total += stored_bytes(spec);
  int64_t done = 0;
  const RandomWeights random(/*seed=*/0, kStored);
  std::vector<std::vector<std::byte>> bytes;
  weights_ = build_weights(config_, *backend_, [&](std::span<const TensorSpec> specs) {
    bytes.resize(std::max(bytes.size(), specs.size()));
    std::vector<HostMatrix> tensors;
    for (const TensorSpec& spec : specs) {
      std::vector<std::byte>& memory =
          spec.role == TensorRole::embedding ? embedding_ : bytes[tensors.size()];
      memory.resize(static_cast<size_t>(stored_bytes(spec)));
      random.fill(spec, 0, memory);
      done += stored_bytes(spec);
      tensors.push_back({memory.data(), kStored, static_cast<int>(spec.shape.front()),
                         static_cast<int>(spec.shape.back())});
    }
    if (progress) progress(done, total);
    return tensors;
  });
  transformer_ = std::make_unique<Transformer>(config_, weights_, *backend_);
}

}  // namespace unmask
