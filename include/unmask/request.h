// What a model is asked to write, and what comes of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unmask/error.h"

namespace unmask_v0 {

using Token = std::int32_t;

/// Positions [begin, end) of a canvas: the prompt's tokens and those to be found, in one row.
struct Range {
  int begin = 0;
  int end = 0;
};

struct Message {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

/// How a prompt is put and an answer generated. What is left open follows from the preset, then
/// from the model: its generation_config.json, else the published settings of its family.
/// docs/library.md says what each does; the names are those of the command line.
struct RequestOptions {
  bool raw = false;                     // the prompt is completed as it is, without chat template
  std::optional<std::string> system{};  // text before the conversation
  std::optional<std::string> chat_template{};             // a name; otherwise the model's own
  std::map<std::string, std::string> template_options{};  // its variables, as JSON texts
  std::optional<std::string> json_schema{};               // the answer is JSON that satisfies it
  bool json_object = false;                               // the answer is some JSON object
  int hole = 4;                                           // masks of a hole without a number
  std::optional<int> grow{};  // tokens that holes may get beyond their masks (DreamOn)

  std::string preset = "balanced";    // "exact", "balanced", "fast"; see presets()
  std::optional<int> gen_length{};    // tokens of the canvas behind the prompt (128, as a rule)
  std::optional<int> max_tokens{};    // what it grows to while the answer goes on; gen_length
                                      // is then 64, or two blocks
  std::optional<int> block_length{};  // tokens denoised together
  std::optional<int> steps{}, tokens_per_step{};  // one of them, instead of a threshold
  std::optional<std::string> algorithm{};         // how masks are ranked
  std::optional<double> temperature{}, top_p{}, alg_temp{}, eps{};
  std::optional<int> top_k{};
  std::optional<double> threshold{};  // decide all tokens at least this probable
  std::optional<double> factor{};     // decide the longest prefix that the factor rule allows
  std::optional<double> edit{};       // replace tokens by others more probable than this (LLaDA2.1)
  std::optional<double> leap{};       // with threshold: as probable will do near one that passes it
  std::optional<int> leap_radius{};   // how near, in positions (4)
  bool credit = false;                // adds what earlier passes of a block proposed
  std::optional<int> drafts{};        // canvases a pass evaluates: fewer passes, the same text
  double cfg_scale = 0;               // guidance; above 0 each step takes two passes
  std::uint64_t seed = 0;             // of all randomness
  bool suppress_eos = false;          // end tokens are never chosen
  bool defer_eos = false;             // end tokens are decided last
  bool attach_eos = false;            // they carry no confidence apart from the text
  bool early_stop = true;             // no more steps once the answer is complete
  std::optional<std::string> method{};  // NAME or NAME:OPTION=VALUE,...; see methods()

  /// Sets the member of that name from a text: "gen_length", "64"; flags take "true" and "false",
  /// template_options a JSON object. Throws Error for an unknown name or a text that is no value.
  UNMASK_API void set(std::string_view name, std::string_view value);
};

/// A canvas that is ready to be denoised, with everything decided that options left open. Made by a
/// Model and for it alone. Copies share it; it never changes, and any thread may read it.
class UNMASK_API Request {
 public:
  /// The prompt and masks: what the model gets to see first.
  std::span<const Token> tokens() const;
  int prompt_length() const;  // tokens before the first that is to be found
  int block_length() const;
  int steps() const;           // as many as are asked for; fewer where a threshold decides
  std::string method() const;  // with its options
  /// In what the request differs from the options, a sentence each.
  const std::vector<std::string>& notes() const;

  struct UNMASK_INTERNAL Data;

 private:
  friend struct Access;
  std::shared_ptr<const Data> data_;
};

/// A position that got its token.
struct Decision {
  int position = 0;
  Token token = 0;
  float confidence = 0;  // by the measure of the algorithm
};

using RequestId = std::int64_t;

/// What a step did to one request. Valid during the callback only.
struct StepEvent {
  RequestId request = 0;
  int step = 0;                     // from 0
  int total_steps = 0;              // at most
  Range block{};                    // being denoised
  std::span<const Token> tokens{};  // the whole canvas after the step
  std::span<const Decision> decided{};
  Token mask = 0;      // what stands in `tokens` for those that are open
  int rows = 0;        // positions that went through the network
  int masks_left = 0;  // to be found
  int settled = 0;     // positions from the beginning on that no later step changes
  bool moved = false;  // positions changed: the canvas grew or shrank in its midst
  double seconds = 0;  // since the request's first step began
};

/// Called after each step on the thread that steps; false cancels the request. What it throws comes
/// out of the call that steps. It must not make the model work: that is an Error (misuse).
using StepCallback = std::function<bool(const StepEvent&)>;

enum class Finish : int {
  stop = 0,      // an end token
  length = 1,    // the canvas is full
  cancelled = 2  // somebody ended it
};

struct Result {
  std::string text{};  // the answer, special tokens left out; of a text with holes all of it
  std::vector<Token> tokens{};  // the whole canvas
  Range answer{};               // generated positions before the first end token
  Finish finish = Finish::stop;
  int answer_tokens = 0;  // that the model chose
  int masks_left = 0;     // 0 unless cancelled or starved of steps
  int steps = 0;
  int forward_passes = 0;
  std::int64_t rows = 0;  // positions that went through the network, in all passes
  double seconds = 0;     // from the first step's beginning to the last one's end
  double seconds_to_first_text = 0;
  int cached_tokens = 0;  // positions of the prompt that came from LoadOptions::prefix_cache
};

/// A step of an explained request.
struct PlannedStep {
  int rows = 0;                   // positions that go through the network
  double product_operations = 0;  // of matrix products, a multiply-add counting as two
  double attention_operations = 0;
  double weight_bytes = 0;  // read
  double kv_bytes = 0;      // keys and values read
  double density = 0;       // pairs of query and key computed, as a share of all
};

/// What a request computes and takes, without computing it. What depends on the model's answers is
/// taken at its worst.
struct Plan {
  std::vector<PlannedStep> steps{};
  std::int64_t rows = 0;
  std::int64_t weight_bytes = 0;   // of the model in memory
  std::int64_t request_bytes = 0;  // of this request alone, at most
};

/// A preset and what it stands for.
struct PresetInfo {
  std::string name{}, what{}, method{};
  std::optional<double> threshold{};
  std::optional<int> block_length{};
};

UNMASK_API std::vector<PresetInfo> presets();
/// Names of the acceleration methods, and of the options of one of them. Throws Error for an
/// unknown one.
UNMASK_API std::vector<std::string> methods();
UNMASK_API std::vector<std::string> method_options(std::string_view method);
/// The names that RequestOptions::set takes.
UNMASK_API std::vector<std::string> option_names();

}  // namespace unmask_v0
