#include "model/families.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "io/quantization.h"
#include "io/tensor_names.h"
#include "model/gguf_names.h"

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

std::unique_ptr<TensorDirectory> open_checkpoint(const std::filesystem::path& directory,
                                                 const ModelConfig& config) {
  if (is_gguf_file(directory)) {
    auto gguf = std::make_unique<GgufCheckpoint>(directory);
    adopt_names(*gguf, config);
    return gguf;
  }
  auto checkpoint = std::make_unique<Checkpoint>(directory);
  std::vector<std::string> expected;
  for (const TensorSpec& spec : tensor_specs(config)) expected.push_back(spec.name);
  const bool all = std::all_of(expected.begin(), expected.end(),
                               [&](const std::string& name) { return checkpoint->contains(name); });
  if (all) return checkpoint;
  const auto found = match_tensor_names(expected, checkpoint->names());
  if (found) checkpoint->rename(*found);
  return checkpoint;
}

void check_checkpoint(const TensorDirectory& checkpoint, const ModelConfig& config) {
  const std::vector<TensorSpec> specs = tensor_specs(config);
  check_names(checkpoint, specs);
  for (const TensorSpec& spec : specs) {
    const StoredTensor& tensor = checkpoint.at(spec.name);
    const bool readable =
        tensor.blocks || tensor.dtype == "F32" || tensor.dtype == "F16" || tensor.dtype == "BF16";
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
