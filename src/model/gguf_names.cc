#include "model/gguf_names.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/error.h"

namespace unmask {

namespace {

struct GgufName {
  TensorRole role;
  std::string_view pattern;  // {} stands for the layer
};
constexpr std::array kNames{
    GgufName{TensorRole::embedding, "token_embd.weight"},
    GgufName{TensorRole::final_norm, "output_norm.weight"},
    GgufName{TensorRole::head, "output.weight"},
    GgufName{TensorRole::attn_norm, "blk.{}.attn_norm.weight"},
    GgufName{TensorRole::q, "blk.{}.attn_q.weight"},
    GgufName{TensorRole::k, "blk.{}.attn_k.weight"},
    GgufName{TensorRole::v, "blk.{}.attn_v.weight"},
    GgufName{TensorRole::q_bias, "blk.{}.attn_q.bias"},
    GgufName{TensorRole::k_bias, "blk.{}.attn_k.bias"},
    GgufName{TensorRole::v_bias, "blk.{}.attn_v.bias"},
    GgufName{TensorRole::q_norm, "blk.{}.attn_q_norm.weight"},
    GgufName{TensorRole::k_norm, "blk.{}.attn_k_norm.weight"},
    GgufName{TensorRole::attn_out, "blk.{}.attn_output.weight"},
    GgufName{TensorRole::ffn_norm, "blk.{}.ffn_norm.weight"},
    GgufName{TensorRole::gate, "blk.{}.ffn_gate.weight"},
    GgufName{TensorRole::up, "blk.{}.ffn_up.weight"},
    GgufName{TensorRole::down, "blk.{}.ffn_down.weight"},
    GgufName{TensorRole::router, "blk.{}.ffn_gate_inp.weight"},
    GgufName{TensorRole::expert_gate, "blk.{}.ffn_gate_exps.weight"},  // of all experts of a layer
    GgufName{TensorRole::expert_up, "blk.{}.ffn_up_exps.weight"},
    GgufName{TensorRole::expert_down, "blk.{}.ffn_down_exps.weight"},
};

/// `shape`: of all experts where the tensor holds them.
void check_tensor(const GgufCheckpoint& checkpoint, const std::string& name, const TensorSpec& spec,
                  const std::vector<int64_t>& shape) {
  const std::string where = fmt::format("[gguf] {}: tensor '{}'", checkpoint.path().string(), name);
  if (!checkpoint.contains(name)) fail("{} is missing", where);
  const StoredTensor& tensor = checkpoint.at(name);
  if (tensor.shape != shape) {
    fail("{} has the shape [{}], expected [{}]", where, fmt::join(tensor.shape, ", "),
         fmt::join(shape, ", "));
  }
  if (tensor.blocks && (shape.size() == 1 || spec.role == TensorRole::router)) {
    fail("{} is stored as {}, expected F32, F16 or BF16", where, tensor.dtype);
  }
}

}  // namespace

std::string gguf_tensor_name(TensorRole role, int layer) {
  for (const GgufName& known : kNames) {
    if (known.role == role) return fmt::format(fmt::runtime(known.pattern), layer);
  }
  UNMASK_CHECK(false, "a role that GGUF files have no name for");
  return "";
}

bool gguf_interleaves(Family family, TensorRole role) {
  return family == Family::llada && (role == TensorRole::q || role == TensorRole::k);
}

void adopt_names(GgufCheckpoint& checkpoint, const ModelConfig& config) {
  std::map<std::string, std::string> names;                // by the family's, the file's
  std::map<std::string, std::vector<std::string>> stacks;  // by the file's, those of the experts
  std::set<std::string, std::less<>> used;
  for (const TensorSpec& spec : tensor_specs(config)) {
    const std::string name = gguf_tensor_name(spec.role, spec.layer);
    if (spec.expert >= 0) {
      stacks[name].push_back(spec.name);
    } else {
      names.emplace(spec.name, name);
    }
    if (!used.insert(name).second) continue;  // a further expert
    std::vector<int64_t> shape = spec.shape;
    if (spec.expert >= 0) shape.insert(shape.begin(), config.moe.experts);
    check_tensor(checkpoint, name, spec, shape);
    if (gguf_interleaves(config.family, spec.role)) {
      checkpoint.mark_interleaved(name, config.head_dim);
    }
  }
  for (const std::string_view name : checkpoint.names()) {
    if (used.contains(name)) continue;
    fail("[gguf] {}: tensor '{}' is no part of a {} of {} layers as it is implemented",
         checkpoint.path().string(), printable(name), family_name(config.family), config.n_layers);
  }
  checkpoint.rename(names);
  for (const auto& [name, experts] : stacks) {
    checkpoint.split(name, experts, std::vector<int64_t>(experts.size(), 1), true);
  }
}

}  // namespace unmask
