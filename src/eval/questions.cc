// Questions about people in other words than the text's.
#include <algorithm>
#include <fmt/format.h>

#include "eval/tasks.h"
#include "eval/words.h"

namespace unmask {

namespace {

/// One thing to tell of a person, with the name at {0} and the answer at {1}.
struct Topic {
  fmt::string_view fact;
  fmt::string_view question;
  const words::List& answers;
};

const Topic& topic(int i) {
  static const Topic topics[] = {
      {"{0} lives in {1}.", "Where does {0} live?", words::kCities},
      {"{0} works as a {1}.", "What is the job of {0}?", words::kJobs},
      {"{0} is in the {1}.", "Where is {0}?", words::kRooms},
      {"{0} likes to eat {1}.", "What does {0} like to eat?", words::kFoods},
  };
  return topics[i];
}
constexpr int kTopics = 4;
constexpr int kMostTravellers = 12;

std::vector<std::string_view> people(Draw& draw, int most) {
  const auto all = static_cast<int>(words::kNames.size());
  std::vector<std::string_view> names;
  for (const int i : draw.sample(all, draw.between(1, std::clamp(most, 1, all)))) {
    names.push_back(words::kNames[static_cast<size_t>(i)]);
  }
  return names;
}

}  // namespace

Puzzle make_question(Draw& draw, const Room& room) {
  const Topic& about = topic(draw.below(kTopics));
  const std::vector<std::string_view> names = people(draw, room.facts());
  std::vector<std::string> facts;
  std::string answer;
  for (const std::string_view name : names) {
    const std::string_view said = draw.pick(about.answers);
    if (facts.empty()) answer = said;
    facts.push_back(fmt::format(fmt::runtime(about.fact), name, said));
  }
  const std::string question = fmt::format(fmt::runtime(about.question), names[0]);
  return {hide(draw, std::move(facts), FactOrder::any, question, room), {answer}};
}

Puzzle make_two_step_question(Draw& draw, const Room& room) {
  const std::vector<std::string_view> names =
      people(draw, std::min(kMostTravellers, room.facts() / 2));
  const std::vector<int> cities =
      draw.sample(static_cast<int>(words::kCities.size()), static_cast<int>(names.size()));
  std::vector<std::string> facts;
  std::string answer;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string_view city = words::kCities[static_cast<size_t>(cities[i])];
    const std::string_view language = draw.pick(words::kLanguages);
    if (i == 0) answer = language;
    facts.push_back(fmt::format("{} lives in {}.", names[i], city));
    facts.push_back(fmt::format("The people of {} speak {}.", city, language));
  }
  const std::string question = fmt::format("Which language does {} speak?", names[0]);
  return {hide(draw, std::move(facts), FactOrder::any, question, room), {answer}};
}

}  // namespace unmask
