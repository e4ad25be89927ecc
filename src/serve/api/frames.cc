#include "serve/api/frames.h"

#include <utility>

namespace unmask {

namespace {

/// A token alone; bytes that are part of a character become U+FFFD.
std::string token_text(const Tokenizer& tokenizer, TokenId token) {
  return tokenizer.decode({&token, 1});
}

}  // namespace

Json Frames::canvas(const Request& request, TokenId mask_id) const {
  Json given = Json::array();
  for (size_t i = static_cast<size_t>(options_.begin); i < request.tokens.size(); ++i) {
    if (request.tokens[i] == mask_id) continue;
    given.push_back(
        {static_cast<int>(i) - options_.begin, token_text(tokenizer_, request.tokens[i])});
  }
  return {{"type", "canvas"},
          {"choice", options_.choice},
          {"prompt_tokens", given_tokens(request, mask_id)},
          {"length", static_cast<int>(request.tokens.size()) - options_.begin},
          {"block_length", request.block_length},
          {"method", request.method},
          {"given", std::move(given)}};
}

Json Frames::step(const Progress& progress, bool full) {
  passes_ += static_cast<int>(progress.rows > 0);
  for (const Decision& d : progress.decided) {
    commits_.push_back(
        {d.position - options_.begin, d.token, token_text(tokenizer_, d.token), d.confidence});
  }
  last_ = progress;
  last_.decided.clear();
  const auto now = std::chrono::steady_clock::now();
  const bool due =
      std::chrono::duration<double>(now - shown_).count() >= 1 / options_.max_fps && !full;
  if (!due || commits_.empty()) return {};
  shown_ = now;
  return frame();
}

Json Frames::rest() { return commits_.empty() ? Json() : frame(); }

Json Frames::end(const Result& result) const {
  return {{"type", "end"},
          {"choice", options_.choice},
          {"steps", result.steps},
          {"nfe", result.forward_passes},
          {"masked", result.masks_left},
          {"length", static_cast<int>(result.tokens.size()) - options_.begin},
          {"answer", result.answer.end - options_.begin},
          {"stopped_early", result.stopped_early},
          {"t_ms", result.seconds * 1e3}};
}

Json Frames::frame() {
  return {{"type", "frame"},
          {"choice", options_.choice},
          {"step", last_.step},
          {"steps", last_.total_steps},
          {"block", {last_.block.begin - options_.begin, last_.block.end - options_.begin}},
          {"length", last_.length - options_.begin},
          {"masked", last_.masks_left},
          {"nfe", passes_},
          {"commits", std::exchange(commits_, Json::array())},
          {"t_ms", last_.seconds * 1e3}};
}

}  // namespace unmask
