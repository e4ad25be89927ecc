// Questions with a fixed set of answers about facts in a generated text, for calibrating.
#pragma once

#include <string>

#include "eval/draw.h"
#include "eval/filler.h"
#include "session/decisions/question.h"

namespace unmask {

struct DecisionExample {
  std::string state;
  Question question;
  size_t right = 0;  // option
};

/// A text about people among filler and what is asked about it: whether a fact holds (as often as
/// not), which of four values is told of somebody, or how many people (none to three) share one.
/// Throws Error when the room does not hold the facts.
DecisionExample make_decision(QuestionType type, Draw& draw, const Room& room);

}  // namespace unmask
