// Answers one request from what the engine decides: whole, or as a stream of what is final.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/api/envelope.h"
#include "serve/text/final_text.h"

namespace unmask {

/// One choice of a generation, finished.
struct FinishedChoice {
  std::string text;
  std::string reason;       // "stop" or "length"
  bool found_stop = false;  // a stop string ended it
  int tokens = 0;           // of the answer
  Result result{};
};

/// In which form log-probabilities are told.
enum class LogprobForm : uint8_t { none, chat, completion };

/// How an endpoint words its replies.
class Wording {
 public:
  virtual ~Wording() = default;
  /// "chat.completion", or of a stream's events "chat.completion.chunk".
  virtual std::string object(bool streamed) const = 0;
  /// Of the reply's id: "chatcmpl-".
  virtual std::string id_prefix() const = 0;
  /// An element of a whole reply's `choices`.
  virtual Json choice(int index, const FinishedChoice& finished) const = 0;
  /// Elements of a stream's `choices`: before any text (null: nothing is sent), a piece of text,
  /// the end.
  virtual Json opening(int index) const = 0;
  virtual Json piece(int index, const std::string& text) const = 0;
  /// Whether a stream tells text before the end.
  virtual bool tells_pieces() const { return true; }
  virtual Json closing(int index, const FinishedChoice& finished) const = 0;
  /// The last word on a whole reply.
  virtual Json complete(Json reply, const std::vector<FinishedChoice>& /*finished*/) const {
    return reply;
  }
};

/// What a generating endpoint has made of a request.
struct GenerationPlan final : Plan {
  void begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) override;

  GenerationFields fields;
  std::vector<Request> requests{};          // one a choice
  std::vector<FinalText::Options> texts{};  // what of each canvas is the answer
  std::unique_ptr<Wording> wording{};
  LogprobForm logprobs = LogprobForm::none;
  std::optional<std::chrono::milliseconds> time_limit{};
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();
};

}  // namespace unmask
