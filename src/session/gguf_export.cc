#include "session/gguf_export.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/block_quantize.h"
#include "core/error.h"
#include "core/parallel.h"
#include "io/containers/gguf_writer.h"
#include "io/gguf_config.h"
#include "io/text/chat_files.h"
#include "io/text/tokenizer_spec.h"
#include "model/adaptation.h"
#include "model/finite.h"
#include "model/gguf_names.h"

namespace unmask {

namespace {

constexpr int kRowsTogether = 1024;  // whose blocks are in memory
constexpr uint32_t kQuantizationVersion = 2;

/// As other engines number them: mostly Q8_0, mostly Q4_0.
uint32_t file_type(BlockFormat format) { return format == BlockFormat::q8_0 ? 7 : 2; }

void add_rope(const ModelConfig& config, const std::string& prefix, GgufWriter& writer) {
  const RopeScaling& rope = config.rope;
  writer.add(prefix + "rope.freq_base", config.rope_theta);
  writer.add(prefix + "rope.dimension_count", static_cast<uint32_t>(config.head_dim));
  if (rope.kind == RopeKind::plain) return;
  const RopeScaling usual;
  const bool yarn = rope.kind == RopeKind::yarn && rope.beta_fast == usual.beta_fast &&
                    rope.beta_slow == usual.beta_slow && rope.truncate;
  if (rope.kind != RopeKind::linear && !yarn) {
    fail("[gguf] rotations are stretched by '{}', which the format has no keys for",
         rope_kind_name(rope.kind));
  }
  writer.add(prefix + "rope.scaling.type", rope_kind_name(rope.kind));
  writer.add(prefix + "rope.scaling.factor", rope.factor);
  if (!yarn) return;
  writer.add(prefix + "rope.scaling.original_context_length",
             static_cast<uint32_t>(rope.original_positions));
}

/// Readers know by the architecture whether the weights of a row's experts are normalised.
void add_experts(const ModelConfig& config, const std::string& prefix, GgufWriter& writer) {
  const MoeConfig& moe = config.moe;
  if (moe.normalized != gguf_normalizes_experts(config.family)) {
    fail(
        "[gguf] weights of the experts are{} normalised, and readers of a {} file take them for {}",
        moe.normalized ? "" : " not", family_name(config.family),
        moe.normalized ? "such that are not" : "normalised ones");
  }
  const auto dense = std::find(moe.layers.begin(), moe.layers.end(), false);
  if (dense != moe.layers.end() || moe.shared_width > 0 || moe.sigmoid || moe.groups > 1 ||
      moe.bias) {
    fail(
        "[gguf] the format has no keys for dense layers among those of experts, shared experts, "
        "groups, sigmoid scores or biases of the family {}",
        family_name(config.family));
  }
  writer.add(prefix + "expert_count", static_cast<uint32_t>(moe.experts));
  writer.add(prefix + "expert_used_count", static_cast<uint32_t>(moe.top_k));
  writer.add(prefix + "expert_feed_forward_length", static_cast<uint32_t>(moe.width));
  if (moe.scale != 1) writer.add(prefix + "expert_weights_scale", moe.scale);
}

void add_config(const ModelConfig& config, const std::string& architecture, GgufWriter& writer) {
  const std::string a = architecture + ".";
  const auto add = [&](const char* key, int value) {
    writer.add(a + key, static_cast<uint32_t>(value));
  };
  add("block_count", config.n_layers);
  add("context_length", config.max_positions);
  add("embedding_length", config.dim);
  if (config.ffn_dim > 0) add("feed_forward_length", config.ffn_dim);
  add("attention.head_count", config.n_heads);
  add("attention.head_count_kv", config.n_kv_heads);
  add("attention.key_length", config.head_dim);
  add("attention.value_length", config.head_dim);
  add("vocab_size", config.vocab_size);
  writer.add(a + "attention.layer_norm_rms_epsilon", config.norm_eps);
  writer.add(a + "attention.causal", false);
  add_rope(config, a, writer);
  if (config.moe.experts > 0) add_experts(config, a, writer);
  writer.add("diffusion.shift_logits", config.logit_shift == 1);
  if (!config.note.empty()) writer.add("unmask.note", std::string_view(config.note));
}

/// Every row of the embedding has a token; those without a text are named after their number.
void add_tokens(const TokenizerSpec& spec, int vocab_size, GgufWriter& writer) {
  constexpr int32_t kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5;
  std::vector<std::string> tokens;
  tokens.reserve(static_cast<size_t>(vocab_size));
  for (int i = 0; i < vocab_size; ++i) tokens.push_back(fmt::format("[PAD{}]", i));
  std::vector<int32_t> types(tokens.size(), kUnused);
  const auto put = [&](TokenId id, const std::string& text, int32_t type) {
    if (id < 0 || id >= vocab_size) {
      fail("[gguf] {}: token '{}' has the id {}, outside the vocabulary of {}", spec.origin,
           printable(text), id, vocab_size);
    }
    tokens[static_cast<size_t>(id)] = text;
    types[static_cast<size_t>(id)] = type;
  };
  for (const auto& [text, id] : spec.vocab) put(id, text, kNormal);
  for (const AddedToken& token : spec.added) {
    put(token.id, token.text, token.special ? kControl : kUserDefined);
  }
  std::vector<std::string> merges;
  merges.reserve(spec.merges.size());
  for (const auto& [left, right] : spec.merges) merges.push_back(fmt::format("{} {}", left, right));
  writer.add("tokenizer.ggml.tokens", tokens);
  writer.add("tokenizer.ggml.token_type", types);
  writer.add("tokenizer.ggml.merges", merges);
}

/// What other engines call the way in which the family's tokenizer cuts text.
std::string_view cut_name(Family family) {
  switch (family) {
    case Family::dream:
    case Family::rnd1: return "qwen2";
    case Family::llada_moe: return "llada-moe";
    default: return "bailingmoe";
  }
}

/// Throws for a tokenizer that a reader of the file would take for another one.
void check_tokenizer(const TokenizerSpec& spec, Family family) {
  const bool cuts = spec.patterns.size() == 1 &&
                    (spec.patterns[0] == kQwen2Pattern || spec.patterns[0] == kLingPattern);
  if (!cuts || spec.ignore_merges) {
    fail("[gguf] {}: the tokenizer cuts text in a way that the format has no word for here",
         spec.origin);
  }
  const bool nfc = cut_name(family) == "qwen2";
  if (spec.nfc != nfc) {
    fail("[gguf] {}: the tokenizer {} text (NFC), and readers of a {} file {}", spec.origin,
         spec.nfc ? "normalises" : "does not normalise", family_name(family),
         nfc ? "do" : "do not");
  }
}

void add_tokenizer(const ModelFiles& files, GgufWriter& writer) {
  const ModelConfig& config = files.config();
  const TokenizerSpec spec = read_tokenizer_spec(files.path());
  check_tokenizer(spec, config.family);
  writer.add("tokenizer.ggml.model", "gpt2");
  writer.add("tokenizer.ggml.pre", cut_name(config.family));
  add_tokens(spec, config.vocab_size, writer);
  const auto add_id = [&](const char* role, TokenId id) {
    writer.add(fmt::format("tokenizer.ggml.{}_token_id", role), static_cast<uint32_t>(id));
  };
  add_id("mask", config.mask_id);
  add_id("eos", config.eos_id);
  if (config.pad_id >= 0) add_id("padding", config.pad_id);
  if (config.stop_ids.size() > 2) {
    fail("[gguf] {}: {} tokens end a text, the format names two", spec.origin,
         config.stop_ids.size());
  }
  if (config.stop_ids.size() == 2) add_id("eot", config.stop_ids[1]);
  const std::optional<TokenId> bos =
      spec.before.empty() ? config.bos_id : std::optional(spec.before[0]);
  if (bos) add_id("bos", *bos);
  const bool ends = !spec.after.empty();
  if (spec.before.size() > 1 || (ends && spec.after != std::vector{config.eos_id})) {
    fail("[gguf] {}: the post-processor puts more than a beginning and an end around a text",
         spec.origin);
  }
  writer.add("tokenizer.ggml.add_bos_token", !spec.before.empty());
  writer.add("tokenizer.ggml.add_eos_token", ends);
  if (const auto found = find_chat_template(files.path())) {
    writer.add("tokenizer.chat_template", std::string_view(found->text));
  }
}

/// What the tensor is written in; none: float32.
std::optional<BlockFormat> format_of(const TensorSpec& spec, BlockFormat wanted) {
  if (spec.shape.size() == 1 || spec.role == TensorRole::router) return std::nullopt;
  const bool shared = spec.role == TensorRole::embedding || spec.role == TensorRole::head;
  return shared ? BlockFormat::q8_0 : wanted;
}

/// The tensors in the order of the file, where the experts of a layer lie in one stack.
std::vector<TensorSpec> in_file_order(std::vector<TensorSpec> specs) {
  std::map<std::pair<int, TensorRole>, int> places;
  for (const TensorSpec& spec : specs) {
    places.emplace(std::pair(spec.layer, spec.role), static_cast<int>(places.size()));
  }
  const auto place = [&](const TensorSpec& spec) { return places.at({spec.layer, spec.role}); };
  std::stable_sort(specs.begin(), specs.end(),
                   [&](const TensorSpec& a, const TensorSpec& b) { return place(a) < place(b); });
  return specs;
}

/// Announces a tensor; the first expert's is that of all.
void announce(const TensorSpec& spec, const ModelConfig& config, BlockFormat wanted,
              GgufWriter& writer) {
  if (spec.expert > 0) return;
  std::vector<int64_t> shape = spec.shape;
  if (spec.expert == 0) shape.insert(shape.begin(), config.moe.experts);
  const auto format = format_of(spec, wanted);
  if (format && shape.back() % block_traits(*format).elements != 0) {
    fail("[gguf] {}: rows of {} weights are no whole blocks of {}", spec.name, shape.back(),
         block_traits(*format).elements);
  }
  writer.add_tensor(gguf_tensor_name(spec.role, spec.layer),
                    format ? block_traits(*format).name : "F32", shape);
}

/// The row of the matrix that the file has as row `stored`.
int matrix_row(int stored, int interleaved) {
  if (interleaved == 0) return stored;
  const int in_head = stored % interleaved;
  return stored - in_head + in_head % 2 * (interleaved / 2) + in_head / 2;
}

class TensorWriter {
 public:
  TensorWriter(const ModelFiles& files, const GgufExport& options, GgufWriter& writer,
               std::ostream& out)
      : files_(files),
        options_(options),
        writer_(writer),
        out_(out),
        pool_(options.threads, options.stop) {}

  void write(const TensorSpec& spec) {
    const HostMatrix matrix = host_matrix(files_.checkpoint().at(spec.name));
    check_finite(spec, matrix, pool_);
    const auto format = format_of(spec, options_.format);
    if (format) {
      write_blocks(spec, matrix, *format);
    } else if (spec.shape.size() == 1) {
      std::vector<float> values(static_cast<size_t>(spec.shape[0]));
      to_f32(matrix.data, matrix.dtype, values.size(), values.data());
      put(std::as_bytes(std::span(values)));
    } else {
      write_floats(matrix);
    }
    files_.checkpoint().release(spec.name);
  }

 private:
  void write_floats(const HostMatrix& matrix) {
    std::vector<float> row(static_cast<size_t>(matrix.in));
    for (int r = 0; r < matrix.out; ++r) {
      matrix.widen_row(r, row.data());
      put(std::as_bytes(std::span(row)));
    }
  }

  void write_blocks(const TensorSpec& spec, const HostMatrix& matrix, BlockFormat format) {
    const bool turned = gguf_interleaves(files_.config().family, spec.role);
    const int head_dim = turned ? files_.config().head_dim : 0;
    const auto in = static_cast<size_t>(matrix.in);
    const size_t row_bytes = block_bytes(format, in);
    std::vector<float> values(in * static_cast<size_t>(pool_.threads()));
    std::vector<std::byte> blocks(row_bytes * kRowsTogether);
    for (int first = 0; first < matrix.out; first += kRowsTogether) {
      const int rows = std::min(kRowsTogether, matrix.out - first);
      pool_.run(rows, [&](int r, int worker) {
        float* own = values.data() + in * static_cast<size_t>(worker);
        matrix.widen_row(matrix_row(first + r, head_dim), own);
        quantize(format, own, in, blocks.data() + row_bytes * static_cast<size_t>(r));
      });
      put(std::span(blocks).first(row_bytes * static_cast<size_t>(rows)));
    }
  }

  void put(std::span<const std::byte> bytes) {
    writer_.write(bytes, out_);
    done_ += static_cast<int64_t>(bytes.size());
    if (options_.progress) options_.progress(done_, writer_.data_bytes());
  }

  const ModelFiles& files_;
  const GgufExport& options_;
  GgufWriter& writer_;
  std::ostream& out_;
  ThreadPool pool_;
  int64_t done_ = 0;
};

}  // namespace

void write_gguf(const ModelFiles& files, const GgufExport& options, std::ostream& out) {
  const ModelConfig& config = files.config();
  const std::string architecture(gguf_architecture(config.family));
  if (architecture.empty()) {
    fail("[gguf] {}: models of the family {} have no form in GGUF here", files.path().string(),
         family_name(config.family));
  }
  check_checkpoint(files.checkpoint(), config);
  GgufWriter writer;
  writer.add("general.architecture", std::string_view(architecture));
  writer.add("general.name", std::string_view(files.name()));
  writer.add("general.file_type", file_type(options.format));
  writer.add("general.quantization_version", kQuantizationVersion);
  add_config(config, architecture, writer);
  add_tokenizer(files, writer);
  const std::vector<TensorSpec> specs = in_file_order(tensor_specs(config));
  for (const TensorSpec& spec : specs) announce(spec, config, options.format, writer);
  writer.write_header(out);
  TensorWriter tensors(files, options, writer, out);
  for (const TensorSpec& spec : specs) tensors.write(spec);
}

}  // namespace unmask
