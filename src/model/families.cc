#include "model/families.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "io/containers/packed_file.h"
#include "io/quantization.h"
#include "io/tensor_names.h"
#include "model/gguf_names.h"

namespace unmask {

namespace {

/// Dimensions of the configuration that a shape is made of.
enum class Size { vocab, dim, q_dim, kv_dim, head_dim, ffn_dim, experts, expert_dim, shared_dim };

/// What a role belongs to.
enum class Place { model, layer, expert };

struct RoleShape {
  TensorRole role;
  std::string_view name;
  Place place;
  std::vector<Size> shape;
};

/// The same for every family, in the order tensor_specs lists them.
const std::vector<RoleShape>& role_shapes() {
  using enum TensorRole;
  static const std::vector<RoleShape> table{
      {embedding, "embedding", Place::model, {Size::vocab, Size::dim}},
      {attn_norm, "attn_norm", Place::layer, {Size::dim}},
      {q, "q", Place::layer, {Size::q_dim, Size::dim}},
      {k, "k", Place::layer, {Size::kv_dim, Size::dim}},
      {v, "v", Place::layer, {Size::kv_dim, Size::dim}},
      {q_bias, "q_bias", Place::layer, {Size::q_dim}},
      {k_bias, "k_bias", Place::layer, {Size::kv_dim}},
      {v_bias, "v_bias", Place::layer, {Size::kv_dim}},
      {q_norm, "q_norm", Place::layer, {Size::head_dim}},
      {k_norm, "k_norm", Place::layer, {Size::head_dim}},
      {attn_out, "attn_out", Place::layer, {Size::dim, Size::q_dim}},
      {ffn_norm, "ffn_norm", Place::layer, {Size::dim}},
      {gate, "gate", Place::layer, {Size::ffn_dim, Size::dim}},
      {up, "up", Place::layer, {Size::ffn_dim, Size::dim}},
      {down, "down", Place::layer, {Size::dim, Size::ffn_dim}},
      {router, "router", Place::layer, {Size::experts, Size::dim}},
      {router_bias, "router_bias", Place::layer, {Size::experts}},
      {shared_gate, "shared_gate", Place::layer, {Size::shared_dim, Size::dim}},
      {shared_up, "shared_up", Place::layer, {Size::shared_dim, Size::dim}},
      {shared_down, "shared_down", Place::layer, {Size::dim, Size::shared_dim}},
      {expert_gate, "expert_gate", Place::expert, {Size::expert_dim, Size::dim}},
      {expert_up, "expert_up", Place::expert, {Size::expert_dim, Size::dim}},
      {expert_down, "expert_down", Place::expert, {Size::dim, Size::expert_dim}},
      {final_norm, "final_norm", Place::model, {Size::dim}},
      {head, "head", Place::model, {Size::vocab, Size::dim}},
  };
  return table;
}

struct RoleName {
  TensorRole role;
  std::string_view pattern;  // {0} stands for the layer, {1} for the expert
};

// `ff_out` is two things in LLaDA: the output head, and the down projection of a block.
constexpr std::array kLladaNames{
    RoleName{TensorRole::embedding, "model.transformer.wte.weight"},
    RoleName{TensorRole::final_norm, "model.transformer.ln_f.weight"},
    RoleName{TensorRole::head, "model.transformer.ff_out.weight"},
    RoleName{TensorRole::attn_norm, "model.transformer.blocks.{0}.attn_norm.weight"},
    RoleName{TensorRole::q, "model.transformer.blocks.{0}.q_proj.weight"},
    RoleName{TensorRole::k, "model.transformer.blocks.{0}.k_proj.weight"},
    RoleName{TensorRole::v, "model.transformer.blocks.{0}.v_proj.weight"},
    RoleName{TensorRole::attn_out, "model.transformer.blocks.{0}.attn_out.weight"},
    RoleName{TensorRole::ffn_norm, "model.transformer.blocks.{0}.ff_norm.weight"},
    RoleName{TensorRole::gate, "model.transformer.blocks.{0}.ff_proj.weight"},
    RoleName{TensorRole::up, "model.transformer.blocks.{0}.up_proj.weight"},
    RoleName{TensorRole::down, "model.transformer.blocks.{0}.ff_out.weight"},
};

// Of Dream and everything that descends from Qwen.
constexpr std::array kQwenNames{
    RoleName{TensorRole::embedding, "model.embed_tokens.weight"},
    RoleName{TensorRole::final_norm, "model.norm.weight"},
    RoleName{TensorRole::head, "lm_head.weight"},
    RoleName{TensorRole::attn_norm, "model.layers.{0}.input_layernorm.weight"},
    RoleName{TensorRole::q, "model.layers.{0}.self_attn.q_proj.weight"},
    RoleName{TensorRole::k, "model.layers.{0}.self_attn.k_proj.weight"},
    RoleName{TensorRole::v, "model.layers.{0}.self_attn.v_proj.weight"},
    RoleName{TensorRole::q_bias, "model.layers.{0}.self_attn.q_proj.bias"},
    RoleName{TensorRole::k_bias, "model.layers.{0}.self_attn.k_proj.bias"},
    RoleName{TensorRole::v_bias, "model.layers.{0}.self_attn.v_proj.bias"},
    RoleName{TensorRole::q_norm, "model.layers.{0}.self_attn.q_norm.weight"},
    RoleName{TensorRole::k_norm, "model.layers.{0}.self_attn.k_norm.weight"},
    RoleName{TensorRole::attn_out, "model.layers.{0}.self_attn.o_proj.weight"},
    RoleName{TensorRole::ffn_norm, "model.layers.{0}.post_attention_layernorm.weight"},
    RoleName{TensorRole::gate, "model.layers.{0}.mlp.gate_proj.weight"},
    RoleName{TensorRole::up, "model.layers.{0}.mlp.up_proj.weight"},
    RoleName{TensorRole::down, "model.layers.{0}.mlp.down_proj.weight"},
    RoleName{TensorRole::router, "model.layers.{0}.mlp.gate.weight"},
    RoleName{TensorRole::expert_gate, "model.layers.{0}.mlp.experts.{1}.gate_proj.weight"},
    RoleName{TensorRole::expert_up, "model.layers.{0}.mlp.experts.{1}.up_proj.weight"},
    RoleName{TensorRole::expert_down, "model.layers.{0}.mlp.experts.{1}.down_proj.weight"},
};

constexpr std::array kLlada2Names{
    RoleName{TensorRole::embedding, "model.word_embeddings.weight"},
    RoleName{TensorRole::final_norm, "model.norm.weight"},
    RoleName{TensorRole::head, "lm_head.weight"},
    RoleName{TensorRole::attn_norm, "model.layers.{0}.input_layernorm.weight"},
    RoleName{TensorRole::q, "model.layers.{0}.attention.query_key_value.weight:q"},
    RoleName{TensorRole::k, "model.layers.{0}.attention.query_key_value.weight:k"},
    RoleName{TensorRole::v, "model.layers.{0}.attention.query_key_value.weight:v"},
    RoleName{TensorRole::q_norm, "model.layers.{0}.attention.query_layernorm.weight"},
    RoleName{TensorRole::k_norm, "model.layers.{0}.attention.key_layernorm.weight"},
    RoleName{TensorRole::attn_out, "model.layers.{0}.attention.dense.weight"},
    RoleName{TensorRole::ffn_norm, "model.layers.{0}.post_attention_layernorm.weight"},
    RoleName{TensorRole::gate, "model.layers.{0}.mlp.gate_proj.weight"},
    RoleName{TensorRole::up, "model.layers.{0}.mlp.up_proj.weight"},
    RoleName{TensorRole::down, "model.layers.{0}.mlp.down_proj.weight"},
    RoleName{TensorRole::router, "model.layers.{0}.mlp.gate.weight"},
    RoleName{TensorRole::router_bias, "model.layers.{0}.mlp.gate.expert_bias"},
    RoleName{TensorRole::expert_gate, "model.layers.{0}.mlp.experts.{1}.gate_proj.weight"},
    RoleName{TensorRole::expert_up, "model.layers.{0}.mlp.experts.{1}.up_proj.weight"},
    RoleName{TensorRole::expert_down, "model.layers.{0}.mlp.experts.{1}.down_proj.weight"},
    RoleName{TensorRole::shared_gate, "model.layers.{0}.mlp.shared_experts.gate_proj.weight"},
    RoleName{TensorRole::shared_up, "model.layers.{0}.mlp.shared_experts.up_proj.weight"},
    RoleName{TensorRole::shared_down, "model.layers.{0}.mlp.shared_experts.down_proj.weight"},
};

std::span<const RoleName> names_of(Family family) {
  if (family == Family::llada) return kLladaNames;
  if (family == Family::llada2) return kLlada2Names;
  return kQwenNames;
}

bool has_role(const ModelConfig& config, TensorRole role, int layer) {
  using enum TensorRole;
  switch (role) {
    case head: return !config.tied_head;
    case q_bias:
    case k_bias:
    case v_bias: return config.qkv_bias;
    case q_norm:
    case k_norm: return config.qk_norm;
    case gate:
    case up:
    case down: return !config.moe.at(layer);
    case router_bias: return config.moe.at(layer) && config.moe.bias;
    case shared_gate:
    case shared_up:
    case shared_down: return config.moe.at(layer) && config.moe.shared_width > 0;
    case router:
    case expert_gate:
    case expert_up:
    case expert_down: return config.moe.at(layer);
    default: return true;
  }
}

int64_t value_of(const ModelConfig& config, Size size) {
  switch (size) {
    case Size::vocab: return config.vocab_size;
    case Size::dim: return config.dim;
    case Size::q_dim: return int64_t{config.n_heads} * config.head_dim;
    case Size::kv_dim: return int64_t{config.n_kv_heads} * config.head_dim;
    case Size::head_dim: return config.head_dim;
    case Size::ffn_dim: return config.ffn_dim;
    case Size::experts: return config.moe.experts;
    case Size::expert_dim: return config.moe.width;
    case Size::shared_dim: return config.moe.shared_width;
  }
  return 0;
}

TensorSpec make_spec(const ModelConfig& config, const RoleShape& role, int layer, int expert) {
  TensorSpec spec{role.role, layer, tensor_name(config, role.role, layer, expert), {}, expert};
  for (const Size size : role.shape) spec.shape.push_back(value_of(config, size));
  return spec;
}

/// The tensors of one layer.
void add_layer(const ModelConfig& config, int layer, std::vector<TensorSpec>& specs) {
  for (const RoleShape& role : role_shapes()) {
    if (role.place == Place::layer && has_role(config, role.role, layer)) {
      specs.push_back(make_spec(config, role, layer, -1));
    }
  }
  if (!config.moe.at(layer)) return;
  for (int expert = 0; expert < config.moe.experts; ++expert) {
    for (const RoleShape& role : role_shapes()) {
      if (role.place == Place::expert) specs.push_back(make_spec(config, role, layer, expert));
    }
  }
}

/// "model.mlp.experts.7.up_proj.weight" as tools spell it that stack experts: neither number nor
/// "weight".
std::string stacked_name(const std::string& first) {
  const size_t number = first.find(".0.", first.find(".experts"));
  return first.substr(0, number) + first.substr(number + 2, first.rfind('.') - number - 2);
}

/// Takes apart what the files store in one tensor and the model knows as several.
void split_tensors(TensorDirectory& checkpoint, const ModelConfig& config) {
  using enum TensorRole;
  for (int layer = 0; layer < config.n_layers; ++layer) {
    const std::string q_name = tensor_name(config, q, layer);
    const std::string whole = q_name.substr(0, q_name.find(':'));
    if (whole != q_name && checkpoint.contains(whole)) {
      const int64_t sizes[] = {value_of(config, Size::q_dim), value_of(config, Size::kv_dim),
                               value_of(config, Size::kv_dim)};
      const std::string names[] = {q_name, tensor_name(config, k, layer),
                                   tensor_name(config, v, layer)};
      checkpoint.split(whole, names, sizes, false);
    }
    if (!config.moe.at(layer)) continue;
    for (const TensorRole role : {expert_gate, expert_up, expert_down}) {
      const std::string stack = stacked_name(tensor_name(config, role, layer, 0));
      if (!checkpoint.contains(stack)) continue;
      std::vector<std::string> names;
      names.reserve(static_cast<size_t>(config.moe.experts));
      for (int e = 0; e < config.moe.experts; ++e) {
        names.push_back(tensor_name(config, role, layer, e));
      }
      checkpoint.split(stack, names, std::vector<int64_t>(names.size(), 1), true);
    }
  }
}

/// Some of the names that are there, for a message.
std::string some_names(const TensorDirectory& checkpoint) {
  const std::vector<std::string_view> names = checkpoint.names();
  if (names.empty()) return "no tensor";
  std::vector<std::string> shown;
  for (const size_t i : {size_t{0}, names.size() / 2, names.size() - 1}) {
    const std::string name = printable(names[i]);
    if (shown.empty() || shown.back() != name) shown.push_back(name);
  }
  return fmt::format("{} tensors, e.g. '{}'", names.size(), fmt::join(shown, "', '"));
}

/// Says so where tensors of a quantization tool explain why `spec` is not as expected.
void refuse_quantized_tensors(const TensorDirectory& checkpoint, const TensorSpec& spec) {
  std::string_view who;
  for (const std::string_view name : checkpoint.names()) {
    if (who.empty()) who = quantizer_of_tensor(name);
  }
  if (who.empty() && checkpoint.contains(spec.name) &&
      checkpoint.at(spec.name).dtype.starts_with("F8")) {
    who = "FP8";
  }
  if (who.empty()) return;
  fail(ErrorCode::quantized,
       "[checkpoint] {}: the weights are quantized ({}), which cannot be read; use the original "
       "model, with weights of bfloat16, float16 or float32",
       checkpoint.path().string(), who);
}

void check_names(const TensorDirectory& checkpoint, std::span<const TensorSpec> specs) {
  const auto is_missing = [&](const TensorSpec& s) { return !checkpoint.contains(s.name); };
  const auto first = std::find_if(specs.begin(), specs.end(), is_missing);
  if (first == specs.end()) return;
  refuse_quantized_tensors(checkpoint, *first);
  fail("[checkpoint] {}: tensor '{}' is missing ({} of {} are); found {}",
       checkpoint.path().string(), first->name,
       std::count_if(specs.begin(), specs.end(), is_missing), specs.size(), some_names(checkpoint));
}

}  // namespace

std::string_view role_name(TensorRole role) {
  for (const RoleShape& known : role_shapes()) {
    if (known.role == role) return known.name;
  }
  return "unknown";
}

bool is_linear_map(const TensorSpec& spec) {
  return spec.shape.size() == 2 && spec.role != TensorRole::embedding &&
         spec.role != TensorRole::router;
}

std::string tensor_name(const ModelConfig& config, TensorRole role, int layer, int expert) {
  for (const RoleName& known : names_of(config.family)) {
    if (known.role == role) return fmt::format(fmt::runtime(known.pattern), layer, expert);
  }
  UNMASK_CHECK(false, "the family has no tensor of this role");
  return "";
}

std::vector<TensorSpec> tensor_specs(const ModelConfig& config) {
  const std::vector<RoleShape>& roles = role_shapes();
  std::vector<TensorSpec> specs;
  for (const RoleShape& role : roles) {
    if (role.place != Place::model || !has_role(config, role.role, -1)) continue;
    if (role.role == TensorRole::final_norm) {  // the layers stand before it
      for (int layer = 0; layer < config.n_layers; ++layer) add_layer(config, layer, specs);
    }
    specs.push_back(make_spec(config, role, -1, -1));
  }
  return specs;
}

std::unique_ptr<TensorDirectory> open_checkpoint(const std::filesystem::path& directory,
                                                 const ModelConfig& config) {
  if (is_gguf_file(directory)) {
    auto gguf = std::make_unique<GgufCheckpoint>(directory);
    adopt_names(*gguf, config);
    return gguf;
  }
  if (is_packed_file(directory)) return std::make_unique<PackedFile>(directory);
  auto checkpoint = std::make_unique<Checkpoint>(directory);
  std::vector<std::string> expected;
  for (const TensorSpec& spec : tensor_specs(config)) expected.push_back(spec.name);
  const bool all = std::all_of(expected.begin(), expected.end(),
                               [&](const std::string& name) { return checkpoint->contains(name); });
  if (all) return checkpoint;
  split_tensors(*checkpoint, config);
  const auto found = match_tensor_names(expected, checkpoint->names());
  if (found) checkpoint->rename(*found);
  return checkpoint;
}

void check_checkpoint(const TensorDirectory& checkpoint, const ModelConfig& config) {
  const std::vector<TensorSpec> specs = tensor_specs(config);
  check_names(checkpoint, specs);
  for (const TensorSpec& spec : specs) {
    const StoredTensor& tensor = checkpoint.at(spec.name);
    const bool in_rows =
        tensor.blocks || tensor.dtype == "F32" || tensor.dtype == "F16" || tensor.dtype == "BF16";
    const bool readable = tensor.in_panels ? is_linear_map(spec) : in_rows;
    if (!readable || tensor.shape != spec.shape) refuse_quantized_tensors(checkpoint, spec);
    if (tensor.shape != spec.shape) {
      fail("[checkpoint] {}: shape [{}], expected [{}]", spec.name, fmt::join(tensor.shape, ", "),
           fmt::join(spec.shape, ", "));
    }
    if (!readable) {
      fail("[checkpoint] {}: stored as {}, expected F32, F16 or BF16", spec.name, tensor.dtype);
    }
  }
}

}  // namespace unmask
