#include "model/families.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/error.h"

namespace unmask {

namespace {

/// Dimensions of the configuration that a shape is made of.
enum class Size { vocab, dim, q_dim, kv_dim, ffn_dim };

struct RoleShape {
  TensorRole role;
  std::string_view name;
  bool in_layer;
  std::vector<Size> shape;
};

/// The same for every family, in the order tensor_specs lists them.
const std::vector<RoleShape>& role_shapes() {
  using enum TensorRole;
  static const std::vector<RoleShape> table{
      {embedding, "embedding", false, {Size::vocab, Size::dim}},
      {attn_norm, "attn_norm", true, {Size::dim}},
      {q, "q", true, {Size::q_dim, Size::dim}},
      {k, "k", true, {Size::kv_dim, Size::dim}},
      {v, "v", true, {Size::kv_dim, Size::dim}},
      {q_bias, "q_bias", true, {Size::q_dim}},
      {k_bias, "k_bias", true, {Size::kv_dim}},
      {v_bias, "v_bias", true, {Size::kv_dim}},
      {attn_out, "attn_out", true, {Size::dim, Size::q_dim}},
      {ffn_norm, "ffn_norm", true, {Size::dim}},
      {gate, "gate", true, {Size::ffn_dim, Size::dim}},
      {up, "up", true, {Size::ffn_dim, Size::dim}},
      {down, "down", true, {Size::dim, Size::ffn_dim}},
      {final_norm, "final_norm", false, {Size::dim}},
      {head, "head", false, {Size::vocab, Size::dim}},
  };
  return table;
}

struct RoleName {
  TensorRole role;
  std::string_view pattern;  // {} stands for the layer
};

// `ff_out` is two things in LLaDA: the output head, and the down projection of a block.
constexpr std::array kLladaNames{
    RoleName{TensorRole::embedding, "model.transformer.wte.weight"},
    RoleName{TensorRole::final_norm, "model.transformer.ln_f.weight"},
    RoleName{TensorRole::head, "model.transformer.ff_out.weight"},
    RoleName{TensorRole::attn_norm, "model.transformer.blocks.{}.attn_norm.weight"},
    RoleName{TensorRole::q, "model.transformer.blocks.{}.q_proj.weight"},
    RoleName{TensorRole::k, "model.transformer.blocks.{}.k_proj.weight"},
    RoleName{TensorRole::v, "model.transformer.blocks.{}.v_proj.weight"},
    RoleName{TensorRole::attn_out, "model.transformer.blocks.{}.attn_out.weight"},
    RoleName{TensorRole::ffn_norm, "model.transformer.blocks.{}.ff_norm.weight"},
    RoleName{TensorRole::gate, "model.transformer.blocks.{}.ff_proj.weight"},
    RoleName{TensorRole::up, "model.transformer.blocks.{}.up_proj.weight"},
    RoleName{TensorRole::down, "model.transformer.blocks.{}.ff_out.weight"},
};

constexpr std::array kDreamNames{
    RoleName{TensorRole::embedding, "model.embed_tokens.weight"},
    RoleName{TensorRole::final_norm, "model.norm.weight"},
    RoleName{TensorRole::head, "lm_head.weight"},
    RoleName{TensorRole::attn_norm, "model.layers.{}.input_layernorm.weight"},
    RoleName{TensorRole::q, "model.layers.{}.self_attn.q_proj.weight"},
    RoleName{TensorRole::k, "model.layers.{}.self_attn.k_proj.weight"},
    RoleName{TensorRole::v, "model.layers.{}.self_attn.v_proj.weight"},
    RoleName{TensorRole::q_bias, "model.layers.{}.self_attn.q_proj.bias"},
    RoleName{TensorRole::k_bias, "model.layers.{}.self_attn.k_proj.bias"},
    RoleName{TensorRole::v_bias, "model.layers.{}.self_attn.v_proj.bias"},
    RoleName{TensorRole::attn_out, "model.layers.{}.self_attn.o_proj.weight"},
    RoleName{TensorRole::ffn_norm, "model.layers.{}.post_attention_layernorm.weight"},
    RoleName{TensorRole::gate, "model.layers.{}.mlp.gate_proj.weight"},
    RoleName{TensorRole::up, "model.layers.{}.mlp.up_proj.weight"},
    RoleName{TensorRole::down, "model.layers.{}.mlp.down_proj.weight"},
};

std::span<const RoleName> names_of(Family family) {
  switch (family) {
    case Family::llada: return kLladaNames;
    case Family::dream: return kDreamNames;
  }
  return {};
}

bool has_role(const ModelConfig& config, TensorRole role) {
  using enum TensorRole;
  if (role == head) return !config.tied_head;
  if (role == q_bias || role == k_bias || role == v_bias) return config.qkv_bias;
  return true;
}

int64_t value_of(const ModelConfig& config, Size size) {
  switch (size) {
    case Size::vocab: return config.vocab_size;
    case Size::dim: return config.dim;
    case Size::q_dim: return int64_t{config.n_heads} * config.head_dim;
    case Size::kv_dim: return int64_t{config.n_kv_heads} * config.head_dim;
    case Size::ffn_dim: return config.ffn_dim;
  }
  return 0;
}

TensorSpec make_spec(const ModelConfig& config, const RoleShape& role, int layer) {
  TensorSpec spec{role.role, layer, tensor_name(config, role.role, layer), {}};
  for (const Size size : role.shape) spec.shape.push_back(value_of(config, size));
  return spec;
}

}  // namespace

std::string_view role_name(TensorRole role) {
  for (const RoleShape& known : role_shapes()) {
    if (known.role == role) return known.name;
  }
  return "unknown";
}

std::string tensor_name(const ModelConfig& config, TensorRole role, int layer) {
  for (const RoleName& known : names_of(config.family)) {
    if (known.role == role) return fmt::format(fmt::runtime(known.pattern), layer);
  }
  UNMASK_CHECK(false, "the family has no tensor of this role");
  return "";
}

std::vector<TensorSpec> tensor_specs(const ModelConfig& config) {
  const std::vector<RoleShape>& roles = role_shapes();
  const auto in_layer = [](const RoleShape& role) { return role.in_layer; };
  const auto first = std::find_if(roles.begin(), roles.end(), in_layer);
  const auto last = std::find_if_not(first, roles.end(), in_layer);

  std::vector<TensorSpec> specs;
  const auto add = [&](auto begin, auto end, int layer) {
    for (auto role = begin; role != end; ++role) {
      if (has_role(config, role->role)) specs.push_back(make_spec(config, *role, layer));
    }
  };
  add(roles.begin(), first, -1);
  for (int layer = 0; layer < config.n_layers; ++layer) add(first, last, layer);
  add(last, roles.end(), -1);
  return specs;
}

void check_checkpoint(const Checkpoint& checkpoint, const ModelConfig& config) {
  for (const TensorSpec& spec : tensor_specs(config)) {
    const StoredTensor& tensor = checkpoint.at(spec.name);
    if (tensor.shape != spec.shape) {
      fail("[checkpoint] {}: shape [{}], expected [{}]", spec.name, fmt::join(tensor.shape, ", "),
           fmt::join(spec.shape, ", "));
    }
    if (tensor.dtype != "F32" && tensor.dtype != "F16" && tensor.dtype != "BF16") {
      fail("[checkpoint] {}: stored as {}, expected F32, F16 or BF16", spec.name, tensor.dtype);
    }
  }
}

}  // namespace unmask
