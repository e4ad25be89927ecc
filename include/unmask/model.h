// A model: its files, its weights on a device, and everything that is asked of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unmask/decide.h"
#include "unmask/request.h"

namespace unmask_v0 {

/// Ends work from outside, from any thread and in the midst of a step. Copies share it. Once raised
/// it stays so: one for each piece of work.
class UNMASK_API Cancellation {
 public:
  Cancellation();
  void cancel() const noexcept;
  bool cancelled() const noexcept;

  struct UNMASK_INTERNAL Data;

 private:
  friend struct Access;
  std::shared_ptr<Data> data_;
};

struct LoadOptions {
  std::string device = "cpu";  // "cpu", "cuda", "auto": a CUDA device where there is one
  std::string dtype = "auto";  // of the weights: "f32", "bf16", "int8", "int4"; auto: bf16 where
                               // model and processor have it, a GGUF file's own
  int threads = 0;             // that compute; 0: one for each processor
  std::vector<std::string> lora{};  // adapters merged into the weights, DIR or DIR:SCALE
  // What the model's files leave open.
  std::optional<std::string> family{};
  std::optional<Token> mask_id{}, eos_id{};
  std::optional<int> model_block{};    // of block-causal attention; 0: every position sees all
  std::optional<bool> shift_logits{};  // whether a row of logits predicts the next position
  /// Gigabytes of keys and values that requests leave to later ones that begin with the same
  /// tokens, which then need not compute them (Result::cached_tokens). The same text: kept is what
  /// no later token changes, blocks of block-causal models, or a prompt in chunks
  /// ("fast-dllm:cache=dual,prompt_chunk=64"). None: 0.5 with a block-causal model, 0 with others.
  std::optional<double> prefix_cache{};
  /// Hears of weights that are loaded, as a share from 0 to 1; false ends loading (Error,
  /// cancelled).
  std::function<bool(double)> progress{};

  /// As RequestOptions::set; every member but `progress`. "lora" adds one.
  UNMASK_API void set(std::string_view name, std::string_view value);
};

struct ModelInfo {
  std::string name{}, path{}, family{}, dtype{}, device{};
  std::string note{};  // what the model's maker wants its users to know
  int vocab_size = 0;  // tokens
  int layers = 0, dim = 0, heads = 0, kv_heads = 0, head_dim = 0;
  int max_positions = 0;  // the context that the model was trained for
  int threads = 0;
  Token mask_id = 0;
  std::vector<Token> stop_ids{};  // tokens that end an answer
  std::int64_t parameters = 0;
  std::int64_t weight_bytes = 0;  // in memory
};

/// A handle: copies share the model. Any thread may call anything; those that compute (generate,
/// score, decide, steps of an Engine) take turns, a step or a pass at a time.
class UNMASK_API Model {
 public:
  /// Loads a folder as the hub publishes it, a GGUF or packed file, or the ORG/NAME of what was
  /// downloaded. Throws Error.
  explicit Model(const std::string& path, const LoadOptions& options = {});

  const ModelInfo& info() const noexcept;

  /// Tokens of a text; those that control the model are recognised in it.
  std::vector<Token> encode(std::string_view text) const;
  /// Text of tokens, always valid UTF-8; unknown ones are dropped.
  std::string decode(std::span<const Token> tokens, bool skip_special = false) const;
  /// A conversation as the model reads it. Of the options only those of the prompt count.
  std::string chat_text(std::span<const Message> messages,
                        const RequestOptions& options = {}) const;

  /// Requests: an answer to one question, to a conversation, the continuation of tokens, a text
  /// whose holes ("___", "___{12}") are filled, as the answer to `question` where there is one.
  /// Throws Error for what is impossible.
  Request prepare(std::string_view prompt, const RequestOptions& options = {}) const;
  Request prepare_chat(std::span<const Message> messages, const RequestOptions& options = {}) const;
  Request prepare_tokens(std::span<const Token> prompt, const RequestOptions& options = {}) const;
  Request prepare_fill(std::string_view text, const RequestOptions& options = {},
                       std::string_view question = {}) const;

  /// What the request would compute, without computing it.
  Plan explain(const Request& request) const;

  /// Denoises one request, in this thread. Cancelled, the result is what there is by then.
  Result generate(const Request& request, const StepCallback& on_step = {},
                  const Cancellation& cancellation = {}) const;
  Result generate(std::string_view prompt, const RequestOptions& options = {}) const;

  /// How likely the model finds `answer`. Throws Error (cancelled) when cancelled.
  Score score(std::string_view prompt, std::string_view answer, const ScoreOptions& options = {},
              const Cancellation& cancellation = {}) const;
  /// The same of tokens; of the options only samples and seed count.
  Score score_tokens(std::span<const Token> prompt, std::span<const Token> answer,
                     const ScoreOptions& options = {}, const Cancellation& cancellation = {}) const;
  /// Answers to questions about a text, each seen alone. Throws Error (cancelled) when cancelled.
  std::vector<Answer> decide(std::string_view state, std::span<const Question> questions,
                             const DecideOptions& options = {},
                             const Cancellation& cancellation = {}) const;

  struct UNMASK_INTERNAL Data;

 private:
  friend struct Access;
  std::shared_ptr<Data> data_;
};

/// Names of the models in the caches, as Model takes them.
UNMASK_API std::vector<std::string> cached_models();

}  // namespace unmask_v0
