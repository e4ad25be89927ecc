// From what a user asks for to a request for the engine; what is left open follows from the model.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generate/request.h"
#include "session/fill_template.h"
#include "session/model_files.h"
#include "session/preset.h"

namespace unmask {

/// How a prompt is put to the model.
struct PromptOptions {
  bool raw = false;                     // completed as it is, without a chat template
  std::optional<std::string> system{};  // text before the conversation
  std::optional<std::string> format{};  // name of a chat template; otherwise the model's own
  std::vector<std::string> tools{};     // functions it may call, as ChatOptions has them
  std::map<std::string, std::string> variables{};  // of the template, as ChatOptions has them
};

/// The chat template of that name, or the model's own. Throws Error when there is none, or when the
/// model's tokenizer lacks its markers.
ChatTemplate choose_chat_template(const ModelFiles& files, const std::optional<std::string>& name);

/// Tokens of a conversation in the model's chat template. Throws Error when the template refuses
/// it, when there is none, or when more than one message is to be completed raw.
std::vector<TokenId> encode_messages(const ModelFiles& files, const PromptOptions& options,
                                     std::vector<ChatMessage> messages);
/// The same of one question. Throws Error when it is empty.
std::vector<TokenId> encode_question(const ModelFiles& files, const PromptOptions& options,
                                     const std::string& question);

/// Tokens of a given answer to a prompt; unless that was raw, nothing in it is a control token.
std::vector<TokenId> encode_answer(const ModelFiles& files, const PromptOptions& options,
                                   const std::string& answer);

/// How an answer is generated. What is not set follows from the preset, then from the model: its
/// generation_config.json where that means something, else the published settings of its family.
struct RequestOptions {
  Preset preset = Preset::balanced;
  std::optional<int> gen_length{};
  std::optional<int> max_tokens{};  // where the canvas may grow to, see Request::most_length
  std::optional<int> steps{}, tokens_per_step{}, block_length{};
  std::optional<std::string> algorithm{};
  std::optional<double> temperature{}, top_p{}, alg_temp{}, threshold{}, factor{};
  std::optional<double> edit{};  // threshold of SamplerOptions::editing
  std::optional<double> leap{};  // threshold of SamplerOptions::leap
  std::optional<int> leap_radius{};
  bool credit = false;  // SamplerOptions::credit, as published
  std::optional<int> drafts{};
  std::optional<int> top_k{};
  std::optional<float> eps{};
  double cfg_scale = 0;
  uint64_t seed = 0;
  bool seed_drawn = false;  // nobody chose it, so whoever shows results has to name it
  bool suppress_eos = false;
  bool defer_eos = false;
  bool attach_eos = false;
  bool early_stop = true;
  std::optional<std::string> method{};
  /// Holes find their own length, which takes a model that was trained for it (DreamOn): tokens
  /// that they may get beyond their masks. Of build_fill_request.
  std::optional<int> grow{};
  /// What the answer must be, see Request::constraint; excludes what interferes with its end tokens
  /// or filters the vocabulary.
  std::shared_ptr<const TokenAutomaton> constraint{};
};

/// Masks behind a prompt: 128 or as many as the model recommends, blocks of 32 or, where neither
/// preset nor family has blocks (Dream, exact), one; a token a step or as many as are sure enough.
/// Fewer steps than blocks make the blocks longer. A canvas that may grow begins with two blocks,
/// at least 64 tokens, where no length is given; one with a constraint, which has to know how much
/// room there is, has its full length from the beginning. `adjusted` gets a sentence for each
/// length that differs from what was asked for. Throws Error when the options are impossible for
/// the model, and with both numbers (code `schema`) when the shortest text of a constraint is
/// longer than the canvas.
Request build_request(const RequestOptions& options, const ModelFiles& files,
                      std::vector<TokenId> prompt, std::vector<std::string>* adjusted = nullptr);

/// Masks in the holes of a text; everything from the first hole on is one block. End tokens are not
/// offered, because the text goes on behind the holes. `prompt` stands before the text, which then
/// is its answer. Throws Error as build_request, and for a constraint.
Request build_fill_request(const RequestOptions& options, const ModelFiles& files,
                           std::span<const FillPart> parts, std::vector<TokenId> prompt = {},
                           std::vector<std::string>* adjusted = nullptr);

}  // namespace unmask
