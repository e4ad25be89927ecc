// Whole folders: of a model, and of an adapter. The input is a sequence of names and contents.
#include <algorithm>

#include "io/lora.h"
#include "io/model_config.h"
#include "model/adaptation.h"
#include "session/model_files.h"
#include "support.h"
#include "support/temp_dir.h"
#include "targets.h"

namespace unmask::fuzz {

namespace {

constexpr std::string_view kModelNames[] = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/tool_use.jinja",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
};

/// What adapters belong to: so small that libFuzzer finds its way into tensors.
constexpr const char* kBase = R"({"model_type": "Dream", "hidden_size": 8,
    "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 2,
    "intermediate_size": 16, "vocab_size": 32, "mask_token_id": 31, "eos_token_id": 30,
    "max_position_embeddings": 64, "rope_theta": 1e4, "rms_norm_eps": 1e-6, "hidden_act": "silu",
    "tie_word_embeddings": false})";

constexpr std::string_view kAdapterNames[] = {"adapter_config.json", "adapter_model.safetensors"};

/// Writes those files of `input` whose names are known, and no file twice.
void fill(const testing::TempDir& folder, std::span<const std::string_view> names,
          std::string_view input) {
  for (const std::string_view name : names) std::filesystem::remove(folder.path() / name);
  while (!input.empty()) {
    const std::string_view name = take_part(input);
    const std::string_view content = take_part(input);
    if (std::count(names.begin(), names.end(), name) == 0) continue;
    std::filesystem::create_directories((folder.path() / name).parent_path());
    folder.write(std::string(name), content);
  }
}

void check(const StoredTensor& tensor) {
  require(tensor.elements() >= 0, "no tensor has a negative size");
  const auto elements = static_cast<size_t>(std::max<int64_t>(1, tensor.elements()));
  require(tensor.bytes.size() % elements == 0, "a tensor has whole elements");
}

}  // namespace

void folder(std::string_view input) {
  static const testing::TempDir folder;
  fill(folder, kModelNames, input);
  refused([&] {
    const ModelFiles files = ModelFiles::open(folder.path());
    for (const TokenId id : files.stop_ids()) require(id >= 0, "end tokens are tokens");
    refused([&] {
      const TensorDirectory& checkpoint = files.checkpoint();
      for (const std::string_view name : checkpoint.names()) check(checkpoint.at(name));
      checkpoint.fingerprint();
      require(checkpoint.total_bytes() >= 0, "bytes add up");
      checkpoint.at("model.layers.0.self_attn.q_proj.weight");
    });
    refused([&] {
      const ChatTemplate& format = files.chat_template();
      format.render(std::vector<ChatMessage>{{"user", "Hi"}}, ChatOptions{.now = 0});
    });
  });
}

void lora(std::string_view input) {
  static const testing::TempDir folder;
  static const ModelConfig model = parse_model_config(kBase, "{}");
  fill(folder, kAdapterNames, input);
  check_message(describe_adapter(folder.path()));
  refused([&] {
    const LoraAdapter adapter(folder.path());
    for (const auto& [name, pair] : adapter.pairs()) {
      require(pair.a->shape[0] == pair.b->shape[1], "both factors have the rank");
    }
    for (const auto& [name, tensor] : adapter.replacements()) check(*tensor);
    const std::vector<ScaledAdapter> all{{&adapter, 1}};
    const Adaptation merged(all, model);
  });
}

}  // namespace unmask::fuzz
