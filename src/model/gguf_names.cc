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
    GgufName{TensorRole::attn_out, "blk.{}.attn_output.weight"},
    GgufName{TensorRole::ffn_norm, "blk.{}.ffn_norm.weight"},
    GgufName{TensorRole::gate, "blk.{}.ffn_gate.weight"},
    GgufName{TensorRole::up, "blk.{}.ffn_up.weight"},
    GgufName{TensorRole::down, "blk.{}.ffn_down.weight"},
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
  std::map<std::string, std::string> names;  // by the family's, the file's
  std::set<std::string, std::less<>> used;
  for (const TensorSpec& spec : tensor_specs(config)) {
    const std::string name = gguf_tensor_name(spec.role, spec.layer);
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
