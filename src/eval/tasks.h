// Tasks that are generated: the synthetic tasks of RULER (arXiv 2404.06654) in words of our own,
// and questions about people. Any length, and the same examples for the same seed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/draw.h"
#include "eval/filler.h"

namespace unmask {

/// A prompt and what its answer has to contain.
struct Puzzle {
  std::string prompt;
  std::vector<std::string> references;
};

struct GeneratedTask {
  std::string_view name;
  std::string_view what;  // for help texts
  int gen_length;         // tokens that hold any answer
  Puzzle (*make)(Draw& draw, const Room& room);
};

std::span<const GeneratedTask> generated_tasks();
/// Throws Error listing the names for an unknown one.
const GeneratedTask& generated_task(std::string_view name);
std::vector<std::string> generated_task_names();

// One fact about a thing, asked for among facts about other things.
Puzzle make_single(Draw& draw, const Room& room);
Puzzle make_multikey(Draw& draw, const Room& room);
Puzzle make_multivalue(Draw& draw, const Room& room);
Puzzle make_multiquery(Draw& draw, const Room& room);
/// Which variables hold a value: two chains of three variables.
Puzzle make_tracking(Draw& draw, const Room& room);
// The most frequent words of a list that fills the room.
Puzzle make_common_words(Draw& draw, const Room& room);
Puzzle make_frequent_words(Draw& draw, const Room& room);
// Facts about people, asked for in other words than they were told; one and two steps.
Puzzle make_question(Draw& draw, const Room& room);
Puzzle make_two_step_question(Draw& draw, const Room& room);

}  // namespace unmask
