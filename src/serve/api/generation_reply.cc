#include "serve/api/generation_reply.h"

#include <algorithm>
#include <map>
#include <utility>

#include "serve/api/frames.h"
#include "serve/api/logprobs.h"
#include "serve/api/streams.h"
#include "serve/metrics.h"
#include "serve/schedule/scheduler.h"

namespace unmask {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

/// The names of methods in a spec, without options, which clients choose freely.
std::string method_names_of(std::string_view spec) {
  std::string names;
  for (bool option = false; const char c : spec) {
    if (c == ':' || c == '+') option = c == ':';
    if (!option) names += c;
  }
  return names;
}

/// A text of a schema is whole with or without an end token, though perhaps for want of room.
std::string reason_of(const FinalText& text, const Request& request, const Result& result) {
  const bool whole = request.constraint && !text.found_stop() && !result.cancelled;
  if (whole) return result.hurried ? "length" : "stop";
  return text.ended() ? "stop" : "length";
}

class GenerationReply final : public Watcher,
                              public OpenStream,
                              public std::enable_shared_from_this<GenerationReply> {
 public:
  GenerationReply(GenerationPlan&& plan, std::shared_ptr<http::Exchange> exchange,
                  const Desk& desk);

  /// Throws ApiError when the queue is full.
  void begin();
  void progressed(const Progress& progress) override;
  void ended(int choice, Result result) override;
  void failed(const ApiError& error) override;
  void break_silence(std::chrono::milliseconds silence) override;

 private:
  struct Choice {
    FinalText text;
    std::string so_far;
    std::optional<Frames> frames;
    std::optional<FinishedChoice> finished{};
    bool told_to_stop = false;
    std::map<int, Alternatives> alternatives{};  // by position
    std::vector<AnswerToken> tokens{};           // of the answer as far as it was read
    size_t told = 0;                             // of them
    int offset = 0;                              // characters told
  };

  const Tokenizer& tokenizer() const { return desk_.context.files.tokenizer(); }
  void open_stream();
  /// Text that became final.
  void add(int index, const std::string& text);
  /// Tokens of the answer from position `from` on that were read by now.
  void note_tokens(Choice& choice, int from);
  /// Of the tokens that no event has told yet.
  Json untold_logprobs(Choice& choice) const;
  void send(const Json& choices, Json diffusion = {});
  void send_frame(int index, Json frame);
  void conclude();
  Json envelope(bool streamed) const;
  Json report() const;
  int answer_tokens() const;
  /// Of the prompts' that were not computed.
  int reused_tokens() const;

  GenerationPlan plan_;
  std::shared_ptr<http::Exchange> exchange_;
  const Desk& desk_;
  std::vector<Choice> choices_;
  WorkId work_ = -1;
  int prompt_tokens_ = 0;
  bool has_text_ = false;
  bool over_ = false;
  Clock::time_point written_ = Clock::now();
};

GenerationReply::GenerationReply(GenerationPlan&& plan, std::shared_ptr<http::Exchange> exchange,
                                 const Desk& desk)
    : plan_(std::move(plan)), exchange_(std::move(exchange)), desk_(desk) {
  for (size_t i = 0; i < plan_.requests.size(); ++i) {
    const FinalText::Options& text = plan_.texts[i];
    Choice choice{FinalText(tokenizer(), plan_.requests[i], text), {}, {}};
    if (plan_.fields.frames) {
      choice.frames.emplace(tokenizer(), Frames::Options{.choice = static_cast<int>(i),
                                                         .begin = text.begin,
                                                         .max_fps = plan_.fields.max_fps});
    }
    choices_.push_back(std::move(choice));
    // Choices of one prompt read it once.
    if (i % static_cast<size_t>(plan_.fields.choices) > 0) continue;
    prompt_tokens_ += given_tokens(plan_.requests[i], text.mask_id);
  }
}

void GenerationReply::begin() {
  work_ = desk_.submit(Generation{plan_.requests, shared_from_this(), plan_.time_limit});
  exchange_->on_gone([self = shared_from_this()](http::Gone why) {
    if (std::exchange(self->over_, true)) return;
    self->desk_.scheduler.cancel(self->work_);
    self->desk_.metrics.count_cancel(why == http::Gone::slow_client  ? "slow_client"
                                     : why == http::Gone::disconnect ? "disconnect"
                                                                     : "shutdown");
    self->exchange_.reset();
  });
  if (plan_.fields.stream) open_stream();
}

void GenerationReply::open_stream() {
  desk_.streams.add(weak_from_this());
  exchange_->start_stream("text/event-stream", {{"X-Accel-Buffering", "no"}});
  for (size_t i = 0; i < choices_.size(); ++i) {
    const auto index = static_cast<int>(i);
    const Json opening = plan_.wording->opening(index);
    if (!opening.is_null()) send(Json::array({opening}));
    if (choices_[i].frames) {
      send_frame(index, choices_[i].frames->canvas(plan_.requests[i], plan_.texts[i].mask_id));
    }
  }
}

void GenerationReply::progressed(const Progress& progress) {
  if (over_) return;
  Choice& choice = choices_[static_cast<size_t>(progress.choice)];
  if (choice.frames && plan_.fields.stream) {
    const bool slow = exchange_->queued_bytes() > 128 * 1024;
    send_frame(progress.choice, choice.frames->step(progress, slow));
  }
  if (over_) return;
  for (size_t i = 0; i < progress.alternatives.size(); ++i) {
    choice.alternatives[progress.decided[i].position] = progress.alternatives[i];
  }
  const int from = choice.text.position();
  const std::string text =
      progress.canvas.empty()
          ? choice.text.advance(progress.decided, progress.length, progress.settled)
          : choice.text.replace(progress.canvas, progress.settled);
  note_tokens(choice, from);
  add(progress.choice, text);
  if (!over_ && choice.text.found_stop() && !std::exchange(choice.told_to_stop, true)) {
    desk_.scheduler.cancel_choice(work_, progress.choice);
    desk_.metrics.count_cancel("stop");
  }
}

void GenerationReply::note_tokens(Choice& choice, int from) {
  if (plan_.logprobs == LogprobForm::none) return;
  for (int p = from; p < choice.text.position(); ++p) {
    AnswerToken token{choice.text.canvas()[static_cast<size_t>(p)]};
    const auto found = choice.alternatives.extract(p);
    if (!found.empty()) token.alternatives = std::move(found.mapped());
    choice.tokens.push_back(std::move(token));
  }
}

void GenerationReply::add(int index, const std::string& text) {
  if (text.empty()) return;
  if (!std::exchange(has_text_, true)) desk_.metrics.count_first_text(seconds_since(plan_.arrived));
  Choice& choice = choices_[static_cast<size_t>(index)];
  choice.so_far += text;
  if (!plan_.fields.stream || !plan_.wording->tells_pieces()) return;
  Json piece = plan_.wording->piece(index, text);
  piece["logprobs"] = untold_logprobs(choice);
  send(Json::array({std::move(piece)}));
}

Json GenerationReply::untold_logprobs(Choice& choice) const {
  const auto tokens = std::span(choice.tokens).subspan(choice.told);
  choice.told = choice.tokens.size();
  switch (plan_.logprobs) {
    case LogprobForm::chat: return chat_logprobs(tokenizer(), tokens);
    case LogprobForm::completion: return completion_logprobs(tokenizer(), tokens, choice.offset);
    case LogprobForm::none: break;
  }
  return nullptr;
}

void GenerationReply::ended(int index, Result result) {
  if (over_) return;
  Choice& choice = choices_[static_cast<size_t>(index)];
  if (choice.frames && plan_.fields.stream) {
    send_frame(index, choice.frames->rest());
    send_frame(index, choice.frames->end(result));
  }
  if (over_) return;
  const int from = choice.text.position();
  const std::string text = choice.text.finish();
  note_tokens(choice, from);
  add(index, text);
  if (over_) return;
  const Request& request = plan_.requests[static_cast<size_t>(index)];
  choice.finished = FinishedChoice{.text = choice.so_far,
                                   .reason = reason_of(choice.text, request, result),
                                   .found_stop = choice.text.found_stop(),
                                   .tokens = choice.text.tokens()};
  choice.finished->result = std::move(result);
  const bool all = std::all_of(choices_.begin(), choices_.end(),
                               [](const Choice& c) { return c.finished.has_value(); });
  if (plan_.fields.stream) {
    send(Json::array({plan_.wording->closing(index, *choice.finished)}), all ? report() : Json());
  }
  if (all && !over_) conclude();
}

void GenerationReply::conclude() {
  over_ = true;
  const Request& first = plan_.requests.front();
  int passes = 0;
  size_t canvas = 0;
  for (const Choice& choice : choices_) {
    passes += choice.finished->result.forward_passes;
    canvas += choice.finished->result.tokens.size();
  }
  desk_.metrics.count_tokens(prompt_tokens_, answer_tokens(), static_cast<int>(canvas), passes,
                             method_names_of(first.method));
  if (plan_.fields.stream) {
    if (plan_.fields.include_usage) {
      Json last = envelope(true);
      last["choices"] = Json::array();
      last["usage"] = usage(prompt_tokens_, answer_tokens(), reused_tokens());
      exchange_->write(event(last));
    }
    exchange_->write("data: [DONE]\n\n");
    exchange_->finish();
  } else {
    std::vector<FinishedChoice> finished;
    Json choices = Json::array();
    for (size_t i = 0; i < choices_.size(); ++i) {
      finished.push_back(*choices_[i].finished);
      choices.push_back(plan_.wording->choice(static_cast<int>(i), finished.back()));
      if (plan_.logprobs != LogprobForm::none) {
        choices.back()["logprobs"] = untold_logprobs(choices_[i]);
      }
    }
    Json reply = envelope(false);
    reply["choices"] = std::move(choices);
    reply["usage"] = usage(prompt_tokens_, answer_tokens(), reused_tokens());
    reply["diffusion"] = report();
    exchange_->reply(json_reply(plan_.wording->complete(std::move(reply), finished)));
  }
  exchange_.reset();
}

void GenerationReply::failed(const ApiError& error) {
  if (std::exchange(over_, true)) return;
  if (plan_.fields.stream) {
    exchange_->write(event(error_body(error)));
    exchange_->finish();
  } else {
    exchange_->reply(error_reply(error));
  }
  exchange_.reset();
}

void GenerationReply::break_silence(std::chrono::milliseconds silence) {
  if (over_ || Clock::now() - written_ < silence) return;
  written_ = Clock::now();
  exchange_->write(": ping\n\n");
}

void GenerationReply::send(const Json& choices, Json diffusion) {
  Json chunk = envelope(true);
  chunk["choices"] = choices;
  if (plan_.fields.include_usage) chunk["usage"] = nullptr;
  if (!diffusion.is_null()) chunk["diffusion"] = std::move(diffusion);
  written_ = Clock::now();
  exchange_->write(event(chunk));
}

void GenerationReply::send_frame(int index, Json frame) {
  if (frame.is_null()) return;
  // Never without a choice: many clients read the first one of every chunk.
  send(Json::array({plan_.wording->piece(index, "")}), std::move(frame));
}

Json GenerationReply::envelope(bool streamed) const {
  const ApiContext& context = desk_.context;
  return {{"id", plan_.wording->id_prefix() + exchange_->id()},
          {"object", plan_.wording->object(streamed)},
          {"created", std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())},
          {"model", context.model},
          {"system_fingerprint", context.fingerprint}};
}

int GenerationReply::reused_tokens() const {
  int sum = 0;
  for (size_t i = 0; i < choices_.size(); i += static_cast<size_t>(plan_.fields.choices)) {
    sum += choices_[i].finished->result.reused;
  }
  return sum;
}

Json GenerationReply::report() const {
  std::vector<Result> results;
  for (const Choice& choice : choices_) results.push_back(choice.finished->result);
  return diffusion_report({plan_.requests.front(), plan_.fields, results, answer_tokens()});
}

int GenerationReply::answer_tokens() const {
  int sum = 0;
  for (const Choice& choice : choices_) sum += choice.finished->tokens;
  return sum;
}

}  // namespace

void GenerationPlan::begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) {
  std::make_shared<GenerationReply>(std::move(*this), std::move(exchange), desk)->begin();
}

}  // namespace unmask
