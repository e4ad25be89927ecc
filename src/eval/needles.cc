// Needles: "The code of the brave otter is 4821." among filler and among its like.
#include <algorithm>
#include <fmt/ranges.h>

#include "eval/tasks.h"
#include "eval/words.h"

namespace unmask {

namespace {

constexpr int kQueries = 4;  // as in RULER
constexpr int kValues = 3;   // of the asked key; others have one or two

std::string number(Draw& draw) { return fmt::format("{:04}", draw.below(10'000)); }

std::string value(Draw& draw) {
  return draw.chance(0.7) ? number(draw) : std::string(draw.pick(words::kThings));
}

/// Names like "brave otter", all different.
std::vector<std::string> keys(Draw& draw, int count) {
  const auto animals = static_cast<int>(words::kAnimals.size());
  const auto all = static_cast<int>(words::kAdjectives.size()) * animals;
  std::vector<std::string> names;
  for (const int i : draw.sample(all, std::min(count, all))) {
    names.push_back(fmt::format("{} {}", words::kAdjectives[static_cast<size_t>(i / animals)],
                                words::kAnimals[static_cast<size_t>(i % animals)]));
  }
  return names;
}

std::string needle(std::string_view kind, const std::string& key, const std::string& value) {
  return fmt::format("The {} of the {} is {}.", kind, key, value);
}

/// `count` facts about as many things, of which the first `asked` are asked for.
Puzzle ask(Draw& draw, const Room& room, int count, int asked) {
  const std::string_view kind = draw.pick(words::kKinds);
  const std::vector<std::string> names = keys(draw, count);
  std::vector<std::string> facts;
  Puzzle puzzle;
  for (const std::string& name : names) {
    const std::string held = value(draw);
    facts.push_back(needle(kind, name, held));
    if (static_cast<int>(puzzle.references.size()) < asked) puzzle.references.push_back(held);
  }
  const auto first = std::span(names).first(static_cast<size_t>(asked));
  const std::string question =
      asked == 1 ? fmt::format("What is the {} of the {}?", kind, first[0])
                 : fmt::format("What are the {}s of these: {}?", kind, fmt::join(first, ", "));
  puzzle.prompt = hide(draw, std::move(facts), FactOrder::any, question, room);
  return puzzle;
}

}  // namespace

Puzzle make_single(Draw& draw, const Room& room) { return ask(draw, room, 1, 1); }

Puzzle make_multikey(Draw& draw, const Room& room) {
  return ask(draw, room, draw.between(2, room.facts()), 1);
}

Puzzle make_multiquery(Draw& draw, const Room& room) {
  return ask(draw, room, draw.between(kQueries, std::max(kQueries, room.facts())), kQueries);
}

Puzzle make_multivalue(Draw& draw, const Room& room) {
  const std::string_view kind = draw.pick(words::kKinds);
  const std::vector<std::string> names =
      keys(draw, draw.between(1, std::max(1, room.facts() / kValues)));
  std::vector<std::string> facts;
  Puzzle puzzle;
  for (const std::string& name : names) {
    const bool asked = facts.empty();
    for (const int n : draw.sample(10'000, asked ? kValues : draw.between(1, 2))) {
      const std::string held = fmt::format("{:04}", n);
      facts.push_back(needle(kind, name, held));
      if (asked) puzzle.references.push_back(held);
    }
  }
  puzzle.prompt = hide(draw, std::move(facts), FactOrder::any,
                       fmt::format("What are all the {}s of the {}?", kind, names[0]), room);
  return puzzle;
}

}  // namespace unmask
