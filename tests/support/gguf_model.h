// Complete GGUF models, small enough for a test, with a tokenizer of bytes.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "io/text/byte_alphabet.h"
#include "support/gguf_blocks.h"
#include "support/gguf_bytes.h"

namespace unmask::testing {

inline const std::string kLladaTemplate =
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
    "+ "
    "'<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ "
    "content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}";

/// What a file of the architecture llada, dream, llada-moe or rnd1 says, key by key, so that tests
/// can leave some out. 256 bytes, "th", "the", then added tokens: 258 bos, 259 eos, 260 mask, 261
/// <|eot_id|>, 262 and 263 headers of turns, 264 user defined, 265 unused.
struct GgufRecipe {
  std::string architecture = "llada";
  uint32_t dim = 256, ffn_dim = 512, layers = 2, heads = 4, kv_heads = 4;
  uint32_t head_dim = 0;  // 0: dim / heads
  uint32_t experts = 0;
  bool tied = false;
  std::map<std::string, std::function<void(GgufWriter&, const std::string&)>> keys{};

  explicit GgufRecipe(std::string name = "llada") : architecture(std::move(name)) {
    if (architecture == "dream") kv_heads = 2;
    if (architecture == "rnd1") head_dim = 128;
    if (architecture == "llada-moe" || architecture == "rnd1") experts = 4;
    const bool qwen = architecture == "dream" || architecture == "rnd1";
    const std::string a = architecture + ".";
    text("general.architecture", architecture);
    number(a + "block_count", layers);
    number(a + "context_length", 512);
    number(a + "embedding_length", dim);
    if (experts == 0) {
      number(a + "feed_forward_length", ffn_dim);
    } else {
      number(a + "expert_count", experts);
      number(a + "expert_used_count", 2);
      number(a + "expert_feed_forward_length", ffn_dim);
    }
    number(a + "attention.head_count", heads);
    number(a + "attention.head_count_kv", kv_heads);
    if (head_dim > 0) number(a + "attention.key_length", head_dim);
    real(a + "rope.freq_base", 10000);
    real(a + "attention.layer_norm_rms_epsilon", 1e-5F);
    flag("diffusion.shift_logits", architecture == "dream");
    text("tokenizer.ggml.model", "gpt2");
    text("tokenizer.ggml.pre", qwen ? "qwen2" : "bailingmoe");
    add_tokens();
    number("tokenizer.ggml.bos_token_id", 258);
    number("tokenizer.ggml.eos_token_id", 259);
    number("tokenizer.ggml.mask_token_id", 260);
    text("tokenizer.chat_template", kLladaTemplate);
  }

  void text(const std::string& key, const std::string& value) {
    keys[key] = [value](GgufWriter& w, const std::string& k) { w.text(k, value); };
  }
  void number(const std::string& key, uint32_t value) {
    keys[key] = [value](GgufWriter& w, const std::string& k) { w.u32(k, value); };
  }
  void real(const std::string& key, float value) {
    keys[key] = [value](GgufWriter& w, const std::string& k) { w.f32(k, value); };
  }
  void flag(const std::string& key, bool value) {
    keys[key] = [value](GgufWriter& w, const std::string& k) { w.flag(k, value); };
  }
  void texts(const std::string& key, const std::vector<std::string>& values) {
    keys[key] = [values](GgufWriter& w, const std::string& k) { w.texts(k, values); };
  }
  void integers(const std::string& key, const std::vector<int32_t>& values) {
    keys[key] = [values](GgufWriter& w, const std::string& k) { w.integers(k, values); };
  }

  static constexpr int64_t kVocab = 266;

  struct Shape {
    std::string name;
    std::vector<int64_t> sizes;  // fastest-running first
  };
  std::vector<Shape> shapes() const {
    const int64_t d = dim;
    const int64_t q = head_size() * heads;
    const int64_t kv = head_size() * kv_heads;
    std::vector<Shape> all{{"token_embd.weight", {d, kVocab}}, {"output_norm.weight", {d}}};
    if (!tied) all.push_back({"output.weight", {d, kVocab}});
    for (uint32_t i = 0; i < layers; ++i) {
      const std::string blk = "blk." + std::to_string(i) + ".";
      for (const auto& [name, sizes] : std::initializer_list<Shape>{{"attn_norm.weight", {d}},
                                                                    {"attn_q.weight", {d, q}},
                                                                    {"attn_k.weight", {d, kv}},
                                                                    {"attn_v.weight", {d, kv}},
                                                                    {"attn_output.weight", {q, d}},
                                                                    {"ffn_norm.weight", {d}}}) {
        all.push_back({blk + name, sizes});
      }
      for (Shape& shape : feed_forward()) all.push_back({blk + shape.name, shape.sizes});
      if (architecture != "dream") continue;
      all.push_back({blk + "attn_q.bias", {d}});
      all.push_back({blk + "attn_k.bias", {kv}});
      all.push_back({blk + "attn_v.bias", {kv}});
    }
    return all;
  }

  GgufWriter metadata() const {
    GgufWriter writer;
    for (const auto& [key, write] : keys) write(writer, key);
    return writer;
  }

 private:
  int64_t head_size() const { return head_dim > 0 ? head_dim : dim / heads; }

  /// Of a layer. Queries and keys are normalised where there are experts.
  std::vector<Shape> feed_forward() const {
    const int64_t d = dim;
    if (experts == 0) {
      return {{"ffn_gate.weight", {d, ffn_dim}},
              {"ffn_up.weight", {d, ffn_dim}},
              {"ffn_down.weight", {ffn_dim, d}}};
    }
    return {{"attn_q_norm.weight", {head_size()}},
            {"attn_k_norm.weight", {head_size()}},
            {"ffn_gate_inp.weight", {d, experts}},
            {"ffn_gate_exps.weight", {d, ffn_dim, experts}},
            {"ffn_up_exps.weight", {d, ffn_dim, experts}},
            {"ffn_down_exps.weight", {ffn_dim, d, experts}}};
  }

  void add_tokens() {
    std::vector<std::string> tokens;
    for (int byte = 0; byte < 256; ++byte) {
      tokens.push_back(byte_to_alphabet(static_cast<uint8_t>(byte)));
    }
    std::vector<int32_t> types(258, 1);
    tokens.insert(tokens.end(), {"th", "the"});
    for (const char* control : {"<|startoftext|>", "<|endoftext|>", "<|mdm_mask|>", "<|eot_id|>",
                                "<|start_header_id|>", "<|end_header_id|>"}) {
      tokens.emplace_back(control);
      types.push_back(3);
    }
    tokens.insert(tokens.end(), {"<tool>", "[PAD265]"});
    types.insert(types.end(), {4, 5});
    texts("tokenizer.ggml.tokens", tokens);
    integers("tokenizer.ggml.token_type", types);
    texts("tokenizer.ggml.merges", {"t h", "th e"});
  }
};

/// A model whose matrices are all of one block format, norms and biases F32; and the same weights,
/// dequantized, as F32.
struct TwoWritings {
  std::string blocks, floats;
};
inline TwoWritings random_model(const GgufRecipe& recipe, const BlockType& type, uint32_t seed) {
  std::mt19937 random(seed);
  GgufWriter blocks = recipe.metadata();
  GgufWriter floats = recipe.metadata();
  for (const auto& [name, sizes] : recipe.shapes()) {
    const auto floats_of = [](const std::vector<float>& v) {
      return std::string(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float));
    };
    if (sizes.size() == 1) {
      std::vector<float> values(static_cast<size_t>(sizes[0]));
      const bool bias = name.ends_with("bias");
      for (float& v : values) v = (bias ? 0 : 1) + static_cast<float>(random() % 256) / 2560;
      blocks.tensor(name, sizes, 0, floats_of(values));
      floats.tensor(name, sizes, 0, floats_of(values));
      continue;
    }
    const float spread = 1 / std::sqrt(static_cast<float>(sizes[0]));
    int64_t count = 1;
    for (const int64_t size : sizes) count *= size;
    const std::string bytes = random_blocks(random, type, static_cast<size_t>(count), spread);
    if (name.ends_with("ffn_gate_inp.weight")) {  // routers come as plain values only
      blocks.tensor(name, sizes, 0, floats_of(values_of_blocks(type.format, bytes)));
    } else {
      blocks.tensor(name, sizes, type.id, bytes);
    }
    floats.tensor(name, sizes, 0, floats_of(values_of_blocks(type.format, bytes)));
  }
  return {blocks.bytes(), floats.bytes()};
}

}  // namespace unmask::testing
