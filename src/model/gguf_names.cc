#include "model/gguf_names.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/error.h"

namespace unmask {

namespace {

struct GgufName {
  TensorRole role;
  std::string_view pattern;  // {0} stands for the layer, {1} for the expert
};
constexpr std::array kNames{
    GgufName{TensorRole::embedding, "token_embd.weight"},
    GgufName{TensorRole::final_norm, "output_norm.weight"},
    GgufName{TensorRole::head, "output.weight"},
    GgufName{TensorRole::attn_norm, "blk.{0}.attn_norm.weight"},
    GgufName{TensorRole::q, "blk.{0}.attn_q.weight"},
    GgufName{TensorRole::k, "blk.{0}.attn_k.weight"},
    GgufName{TensorRole::v, "blk.{0}.attn_v.weight"},
    GgufName{TensorRole::q_bias, "blk.{0}.attn_q.bias"},
    GgufName{TensorRole::k_bias, "blk.{0}.attn_k.bias"},
    GgufName{TensorRole::v_bias, "blk.{0}.attn_v.bias"},
    GgufName{TensorRole::attn_out, "blk.{0}.attn_output.weight"},
    GgufName{TensorRole::ffn_norm, "blk.{0}.ffn_norm.weight"},
    GgufName{TensorRole::gate, "blk.{0}.ffn_gate.weight"},
    GgufName{TensorRole::up, "blk.{0}.ffn_up.weight"},
    GgufName{TensorRole::down, "blk.{0}.ffn_down.weight"},
    GgufName{TensorRole::q_norm, "blk.{0}.attn_q_norm.weight"},
    GgufName{TensorRole::k_norm, "blk.{0}.attn_k_norm.weight"},
    GgufName{TensorRole::router, "blk.{0}.ffn_gate_inp.weight"},
    GgufName{TensorRole::expert_gate, "blk.{0}.ffn_gate_exps.weight:{1}"},
    GgufName{TensorRole::expert_up, "blk.{0}.ffn_up_exps.weight:{1}"},
    GgufName{TensorRole::expert_down, "blk.{0}.ffn_down_exps.weight:{1}"},
};

void check_tensor(const GgufCheckpoint& checkpoint, const std::string& name,
                  const TensorSpec& spec) {
  const std::string where = fmt::format("[gguf] {}: tensor '{}'", checkpoint.path().string(), name);
  if (!checkpoint.contains(name)) fail("{} is missing", where);
  const StoredTensor& tensor = checkpoint.at(name);
  if (tensor.shape != spec.shape) {
    fail("{} has the shape [{}], expected [{}]", where, fmt::join(tensor.shape, ", "),
         fmt::join(spec.shape, ", "));
  }
  if (tensor.blocks && spec.shape.size() == 1) {
    fail("{} is stored as {}, expected F32, F16 or BF16", where, tensor.dtype);
  }
}

/// Takes apart the tensors that hold all experts of a layer, one behind the other.
void split_experts(GgufCheckpoint& checkpoint, const ModelConfig& config) {
  using enum TensorRole;
  for (int layer = 0; layer < config.n_layers; ++layer) {
    if (!config.moe.at(layer)) continue;
    for (const TensorRole role : {expert_gate, expert_up, expert_down}) {
      std::vector<std::string> parts;
      for (int e = 0; e < config.moe.experts; ++e) {
        parts.push_back(gguf_tensor_name(role, layer, e));
      }
      const std::string whole = parts[0].substr(0, parts[0].find(':'));
      if (!checkpoint.contains(whole)) {
        fail("[gguf] {}: tensor '{}' is missing", checkpoint.path().string(), whole);
      }
      checkpoint.split(whole, parts, std::vector<int64_t>(parts.size(), 1), true);
    }
  }
}

}  // namespace

std::string gguf_tensor_name(TensorRole role, int layer, int expert) {
  for (const GgufName& known : kNames) {
    if (known.role == role) return fmt::format(fmt::runtime(known.pattern), layer, expert);
  }
  UNMASK_CHECK(false, "a role that GGUF files have no name for");
  return "";
}

bool gguf_interleaves(Family family, TensorRole role) {
  return family == Family::llada && (role == TensorRole::q || role == TensorRole::k);
}

void adopt_names(GgufCheckpoint& checkpoint, const ModelConfig& config) {
  split_experts(checkpoint, config);
  std::map<std::string, std::string> names;  // by the family's, the file's
  std::set<std::string, std::less<>> used;
  for (const TensorSpec& spec : tensor_specs(config)) {
    const std::string name = gguf_tensor_name(spec.role, spec.layer, spec.expert);
    check_tensor(checkpoint, name, spec);
    if (gguf_interleaves(config.family, spec.role)) {
      checkpoint.mark_interleaved(name, config.head_dim);
    }
    names.emplace(spec.name, name);
    used.insert(name);
  }
  for (const std::string_view name : checkpoint.names()) {
    if (used.contains(name)) continue;
    fail("[gguf] {}: tensor '{}' is no part of a {} of {} layers as it is implemented",
         checkpoint.path().string(), printable(name), family_name(config.family), config.n_layers);
  }
  checkpoint.rename(names);
}

}  // namespace unmask
