// How chat completions are worded: answers in text, and calls of functions.
#pragma once

#include <string>
#include <vector>

#include "serve/api/generation_reply.h"

namespace unmask {

class ChatWording : public Wording {
 public:
  std::string object(bool streamed) const override;
  std::string id_prefix() const override { return "chatcmpl-"; }
  Json choice(int index, const FinishedChoice& finished) const override;
  Json opening(int index) const override;
  Json piece(int index, const std::string& text) const override;
  Json closing(int index, const FinishedChoice& finished) const override;
};

/// Of answers that are calls, {"name": ..., "arguments": ...}: nothing is sent before a call is
/// whole. A call that was cut off comes as text.
class CallWording final : public ChatWording {
 public:
  /// For so many choices; draws the ids of their calls.
  explicit CallWording(int choices);

  Json choice(int index, const FinishedChoice& finished) const override;
  Json opening(int index) const override;
  bool tells_pieces() const override { return false; }
  Json closing(int index, const FinishedChoice& finished) const override;

 private:
  /// [{"id","type","function":{"name","arguments"}}]
  Json calls(int index, const FinishedChoice& finished) const;

  std::vector<std::string> ids_;
};

}  // namespace unmask
