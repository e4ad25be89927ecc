#include "io/gguf_model.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"

namespace unmask {

namespace {

constexpr std::string_view kLayerPrefix = "blk.";
constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxVocab = 1 << 24;
constexpr int kMaxLayers = 1 << 12;
constexpr int kMaxPositions = 1 << 28;

struct Architecture {
  GgufArchitecture id;
  std::string_view name;
  bool qkv_bias;
  bool experts;  // with norms of q and k, as the two such models have them
};
constexpr std::array kArchitectures{
    Architecture{GgufArchitecture::llada, "llada", false, false},
    Architecture{GgufArchitecture::dream, "dream", true, false},
    Architecture{GgufArchitecture::llada_moe, "llada-moe", false, true},
    Architecture{GgufArchitecture::rnd1, "rnd1", false, true},
};

/// Typed access to the metadata, with errors that name file and key.
class Keys {
 public:
  explicit Keys(const GgufFile& file) : file_(file), where_("[gguf] " + file.path().string()) {}

  const std::string& where() const { return where_; }

  const GgufValue* find(const std::string& key) const {
    const auto found = file_.metadata().find(key);
    return found == file_.metadata().end() ? nullptr : &found->second;
  }

  const GgufValue& get(const std::string& key) const {
    const GgufValue* value = find(key);
    if (value == nullptr) fail("{}: key '{}' is missing", where_, key);
    return *value;
  }

  /// An integer in [low, high] of any integer type.
  int integer(const std::string& key, int low, int high) const {
    const GgufValue& stored = get(key);
    const auto* natural = std::get_if<uint64_t>(&stored.value);
    const auto* negative = std::get_if<int64_t>(&stored.value);
    if (natural == nullptr && negative == nullptr) wrong_type(key, stored, "an integer");
    const auto limit = static_cast<uint64_t>(high);
    const bool fits = natural != nullptr
                          ? *natural >= static_cast<uint64_t>(low) && *natural <= limit
                          : *negative >= low && *negative <= high;
    if (!fits) {
      fail("{}: key '{}' is {}, expected {} to {}", where_, key,
           natural != nullptr ? fmt::to_string(*natural) : fmt::to_string(*negative), low, high);
    }
    return natural != nullptr ? static_cast<int>(*natural) : static_cast<int>(*negative);
  }

  int size(const std::string& key, int limit) const { return integer(key, 1, limit); }

  std::optional<int> optional_size(const std::string& key, int limit) const {
    return find(key) == nullptr ? std::nullopt : std::optional(size(key, limit));
  }

  float positive(const std::string& key) const {
    const GgufValue& stored = get(key);
    const auto* value = std::get_if<double>(&stored.value);
    if (value == nullptr) wrong_type(key, stored, "a float");
    if (!(*value <= std::numeric_limits<float>::max()) || !(static_cast<float>(*value) > 0)) {
      fail("{}: key '{}' is {}, expected a positive finite number", where_, key, *value);
    }
    return static_cast<float>(*value);
  }

  bool flag(const std::string& key, bool fallback) const {
    const GgufValue* stored = find(key);
    if (stored == nullptr) return fallback;
    const auto* value = std::get_if<bool>(&stored->value);
    if (value == nullptr) wrong_type(key, *stored, "a boolean");
    return *value;
  }

  std::string_view text(const std::string& key) const {
    const GgufValue& stored = get(key);
    const auto* value = std::get_if<std::string_view>(&stored.value);
    if (value == nullptr) wrong_type(key, stored, "a string");
    return *value;
  }

  const GgufArray& array(const std::string& key, GgufType element) const {
    const GgufValue& stored = get(key);
    const auto* value = std::get_if<GgufArray>(&stored.value);
    if (value == nullptr) wrong_type(key, stored, "an array");
    if (value->element != element) {
      fail("{}: key '{}' is an array of {}, expected {}", where_, key,
           gguf_type_name(value->element), gguf_type_name(element));
    }
    return *value;
  }

  std::optional<TokenId> token_id(const std::string& key, int vocab_size) const {
    return find(key) == nullptr ? std::nullopt : std::optional(integer(key, 0, vocab_size - 1));
  }

 private:
  [[noreturn]] void wrong_type(const std::string& key, const GgufValue& value,
                               std::string_view expected) const {
    fail("{}: key '{}' is {}, expected {}", where_, key, gguf_type_name(value.type), expected);
  }

  const GgufFile& file_;
  std::string where_;
};

const Architecture& find_architecture(const Keys& keys) {
  const std::string_view name = keys.text("general.architecture");
  for (const Architecture& known : kArchitectures) {
    if (known.name == name) return known;
  }
  fail("{}: architecture '{}' is no supported diffusion model (llada, dream, llada-moe, rnd1)",
       keys.where(), printable(name));
}

void read_sizes(const Keys& keys, const Architecture& architecture, GgufModel& model) {
  const std::string prefix = std::string(architecture.name) + ".";
  model.n_layers = keys.size(prefix + "block_count", kMaxLayers);
  model.dim = keys.size(prefix + "embedding_length", kMaxWidth);
  model.ffn_dim = keys.size(prefix + "feed_forward_length", kMaxWidth);
  model.max_positions = keys.size(prefix + "context_length", kMaxPositions);
  model.n_heads = keys.size(prefix + "attention.head_count", kMaxWidth);
  model.n_kv_heads = keys.size(prefix + "attention.head_count_kv", kMaxWidth);
  model.rope_theta = keys.positive(prefix + "rope.freq_base");
  model.norm_eps = keys.positive(prefix + "attention.layer_norm_rms_epsilon");
  if (model.n_heads % model.n_kv_heads != 0) {
    fail("{}: {} heads are not divisible by {} key/value heads", keys.where(), model.n_heads,
         model.n_kv_heads);
  }
  const auto key_length = keys.optional_size(prefix + "attention.key_length", kMaxWidth);
  if (!key_length && model.dim % model.n_heads != 0) {
    fail("{}: width {} is not divisible by {} heads", keys.where(), model.dim, model.n_heads);
  }
  model.head_dim = key_length.value_or(model.dim / model.n_heads);
  const std::string value_length = prefix + "attention.value_length";
  if (keys.optional_size(value_length, kMaxWidth).value_or(model.head_dim) != model.head_dim) {
    fail("{}: key '{}' differs from the size {} of a head", keys.where(), value_length,
         model.head_dim);
  }
  const std::string rope = prefix + "rope.dimension_count";
  model.rope_dim = keys.optional_size(rope, kMaxWidth).value_or(model.head_dim);
  if (model.rope_dim > model.head_dim || model.rope_dim % 2 != 0) {
    fail("{}: {} rotated elements in heads of {}, expected an even number up to that", keys.where(),
         model.rope_dim, model.head_dim);
  }
  if (!architecture.experts) return;
  model.n_experts = keys.size(prefix + "expert_count", kMaxWidth);
  model.n_experts_used = keys.size(prefix + "expert_used_count", model.n_experts);
  model.expert_dim = keys.size(prefix + "expert_feed_forward_length", kMaxWidth);
}

void read_tokens(const Keys& keys, const Architecture& architecture, GgufModel& model) {
  const GgufArray& tokens = keys.array("tokenizer.ggml.tokens", GgufType::string);
  if (tokens.count < 1 || tokens.count > static_cast<uint64_t>(kMaxVocab)) {
    fail("{}: tokenizer.ggml.tokens has {} entries", keys.where(), tokens.count);
  }
  model.vocab_size = static_cast<int>(tokens.count);
  const std::string vocab_key = std::string(architecture.name) + ".vocab_size";
  if (keys.optional_size(vocab_key, kMaxVocab).value_or(model.vocab_size) != model.vocab_size) {
    fail("{}: key '{}' differs from the {} tokens", keys.where(), vocab_key, model.vocab_size);
  }
  if (keys.find("tokenizer.ggml.token_type") != nullptr) {
    const GgufArray& types = keys.array("tokenizer.ggml.token_type", GgufType::i32);
    if (types.count != tokens.count) {
      fail("{}: tokenizer.ggml.token_type has {} entries, expected {}", keys.where(), types.count,
           tokens.count);
    }
  }
  if (keys.find("tokenizer.ggml.merges") != nullptr) {
    keys.array("tokenizer.ggml.merges", GgufType::string);
  }
  const auto mask = keys.token_id("tokenizer.ggml.mask_token_id", model.vocab_size);
  if (!mask) {
    fail("{}: key 'tokenizer.ggml.mask_token_id' is missing: no masked diffusion model",
         keys.where());
  }
  model.mask_id = *mask;
  model.bos_id = keys.token_id("tokenizer.ggml.bos_token_id", model.vocab_size);
  model.eos_id = keys.token_id("tokenizer.ggml.eos_token_id", model.vocab_size);
  model.pad_id = keys.token_id("tokenizer.ggml.padding_token_id", model.vocab_size);
}

struct Expected {
  std::string name;
  std::vector<int64_t> sizes;  // fastest-running first
};

std::vector<Expected> layer_tensors(const Architecture& architecture, const GgufModel& model,
                                    int layer) {
  const int64_t dim = model.dim;
  const int64_t q_dim = int64_t{model.n_heads} * model.head_dim;
  const int64_t kv_dim = int64_t{model.n_kv_heads} * model.head_dim;
  const std::string blk = fmt::format("blk.{}.", layer);
  std::vector<Expected> list{
      {blk + "attn_norm.weight", {dim}},          {blk + "attn_q.weight", {dim, q_dim}},
      {blk + "attn_k.weight", {dim, kv_dim}},     {blk + "attn_v.weight", {dim, kv_dim}},
      {blk + "attn_output.weight", {q_dim, dim}}, {blk + "ffn_norm.weight", {dim}}};
  if (architecture.qkv_bias) {
    list.push_back({blk + "attn_q.bias", {q_dim}});
    list.push_back({blk + "attn_k.bias", {kv_dim}});
    list.push_back({blk + "attn_v.bias", {kv_dim}});
  }
  if (architecture.experts) {
    const int64_t experts = model.n_experts;
    const int64_t width = model.expert_dim;
    list.push_back({blk + "attn_q_norm.weight", {model.head_dim}});
    list.push_back({blk + "attn_k_norm.weight", {model.head_dim}});
    list.push_back({blk + "ffn_gate_inp.weight", {dim, experts}});
    list.push_back({blk + "ffn_gate_exps.weight", {dim, width, experts}});
    list.push_back({blk + "ffn_up_exps.weight", {dim, width, experts}});
    list.push_back({blk + "ffn_down_exps.weight", {width, dim, experts}});
  } else {
    list.push_back({blk + "ffn_gate.weight", {dim, model.ffn_dim}});
    list.push_back({blk + "ffn_up.weight", {dim, model.ffn_dim}});
    list.push_back({blk + "ffn_down.weight", {model.ffn_dim, dim}});
  }
  return list;
}

void check_tensor(const GgufFile& file, const Keys& keys, const Expected& expected) {
  const auto found = file.tensors().find(expected.name);
  if (found == file.tensors().end()) {
    fail("{}: tensor '{}' is missing", keys.where(), expected.name);
  }
  if (found->second.sizes != expected.sizes) {
    fail("{}: tensor '{}' is {}, expected {}", keys.where(), expected.name,
         fmt::join(found->second.sizes, " x "), fmt::join(expected.sizes, " x "));
  }
}

/// Layers beyond the announced ones would be left out in silence.
void check_no_further_layers(const GgufFile& file, const Keys& keys, int n_layers) {
  for (const auto& [name, tensor] : file.tensors()) {
    if (!name.starts_with(kLayerPrefix)) continue;
    int layer = 0;
    const auto [end, error] =
        std::from_chars(name.data() + kLayerPrefix.size(), name.data() + name.size(), layer);
    if (error == std::errc() && layer >= n_layers) {
      fail("{}: tensor '{}' in a model of {} layers", keys.where(), printable(name), n_layers);
    }
  }
}

void check_tensors(const GgufFile& file, const Keys& keys, const Architecture& architecture,
                   const GgufModel& model) {
  check_tensor(file, keys, {"token_embd.weight", {model.dim, model.vocab_size}});
  check_tensor(file, keys, {"output_norm.weight", {model.dim}});
  if (!model.tied_head) {
    check_tensor(file, keys, {"output.weight", {model.dim, model.vocab_size}});
  }
  for (int layer = 0; layer < model.n_layers; ++layer) {
    for (const Expected& expected : layer_tensors(architecture, model, layer)) {
      check_tensor(file, keys, expected);
    }
  }
  check_no_further_layers(file, keys, model.n_layers);
}

}  // namespace

std::string_view architecture_name(GgufArchitecture architecture) {
  for (const Architecture& known : kArchitectures) {
    if (known.id == architecture) return known.name;
  }
  return "unknown";
}

GgufModel read_gguf_model(const GgufFile& file) {
  const Keys keys(file);
  const Architecture& architecture = find_architecture(keys);
  GgufModel model;
  model.architecture = architecture.id;
  read_sizes(keys, architecture, model);
  read_tokens(keys, architecture, model);
  model.logit_shift = keys.flag("diffusion.shift_logits", true) ? 1 : 0;
  model.interleaved_rope = architecture.id == GgufArchitecture::llada;
  model.tied_head = !file.tensors().contains("output.weight");
  check_tensors(file, keys, architecture, model);
  return model;
}

}  // namespace unmask
