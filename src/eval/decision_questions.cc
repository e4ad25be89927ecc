#include "eval/decision_questions.h"

#include <algorithm>
#include <fmt/format.h>

#include "eval/words.h"

namespace unmask {

namespace {

/// One thing to tell of a person, with the name at {0} and the value at {1}.
struct DecisionTopic {
  fmt::string_view fact;
  fmt::string_view whether;
  fmt::string_view which;
  fmt::string_view how_many;
  const words::List& values;
};

const DecisionTopic& decision_topic(int i) {
  static const DecisionTopic topics[] = {
      {"{0} lives in {1}.", "Does {0} live in {1}?", "Where does {0} live?",
       "How many people live in {1}?", words::kCities},
      {"{0} works as a {1}.", "Does {0} work as a {1}?", "What is the job of {0}?",
       "How many people work as a {1}?", words::kJobs},
      {"{0} is in the {1}.", "Is {0} in the {1}?", "Where is {0}?",
       "How many people are in the {1}?", words::kRooms},
      {"{0} likes to eat {1}.", "Does {0} like to eat {1}?", "What does {0} like to eat?",
       "How many people like to eat {1}?", words::kFoods},
  };
  return topics[i];
}
constexpr int kDecisionTopics = 4;
constexpr int kOptions = 4;  // of a choice, and levels from none to three
constexpr int kMostPeople = 8;

std::string_view word(words::List list, int i) { return list[static_cast<size_t>(i)]; }

std::string say(fmt::string_view pattern, std::string_view name, std::string_view value) {
  return fmt::format(fmt::runtime(pattern), name, value);
}

/// The facts among filler, without the question that the frame of a prompt has behind them.
std::string tell(Draw& draw, std::vector<std::string> facts, const Room& room) {
  const std::string text = hide(draw, std::move(facts), FactOrder::any, "", room);
  return text.substr(0, text.size() - frame_of("", room.wording).after.size());
}

/// Who a text tells of, and what.
struct Cast {
  const DecisionTopic& about;
  std::vector<int> names;
  std::vector<int> values;  // as many different ones as people, and kOptions more
};

Cast make_cast(Draw& draw, const Room& room) {
  const DecisionTopic& about = decision_topic(draw.below(kDecisionTopics));
  const auto known = static_cast<int>(about.values.size());
  const int people = std::min({kMostPeople, room.facts(), known - kOptions});
  const int count = draw.between(std::min(kOptions, people), people);
  std::vector<int> names = draw.sample(static_cast<int>(words::kNames.size()), count);
  return {about, std::move(names), draw.sample(known, count + kOptions)};
}

std::string_view name_of(const Cast& cast, size_t i) { return word(words::kNames, cast.names[i]); }
std::string_view value_of(const Cast& cast, size_t i) {
  return word(cast.about.values, cast.values[i]);
}

/// The text in which every person has a value of their own.
std::string tell_all(Draw& draw, const Cast& cast, const Room& room) {
  std::vector<std::string> facts;
  for (size_t i = 0; i < cast.names.size(); ++i) {
    facts.push_back(say(cast.about.fact, name_of(cast, i), value_of(cast, i)));
  }
  return tell(draw, std::move(facts), room);
}

DecisionExample ask_whether(Draw& draw, const Room& room) {
  const Cast cast = make_cast(draw, room);
  const bool holds = draw.chance(0.5);
  // A wrong value is another person's, so that it cannot be told by its absence.
  const std::string question =
      say(cast.about.whether, name_of(cast, 0), value_of(cast, holds ? 0 : 1));
  return {tell_all(draw, cast, room), make_predicate(question), holds ? size_t{0} : size_t{1}};
}

DecisionExample ask_which(Draw& draw, const Room& room) {
  const Cast cast = make_cast(draw, room);
  Question question{QuestionType::choice, say(cast.about.which, name_of(cast, 0), ""), {}};
  // The first values are those of people in the text, the very first the right one. Whole
  // sentences, because the embedded model answers in such.
  const std::vector<int> order = draw.sample(kOptions, kOptions);
  for (const int i : order) {
    question.options.push_back(
        {say(cast.about.fact, name_of(cast, 0), value_of(cast, static_cast<size_t>(i)))});
  }
  const auto right = std::find(order.begin(), order.end(), 0) - order.begin();
  return {tell_all(draw, cast, room), std::move(question), static_cast<size_t>(right)};
}

DecisionExample ask_how_many(Draw& draw, const Room& room) {
  const Cast cast = make_cast(draw, room);
  const int sharing = std::min(draw.below(kOptions), static_cast<int>(cast.names.size()));
  const int shared = cast.values.back();
  std::vector<std::string> facts;
  for (size_t i = 0; i < cast.names.size(); ++i) {
    const int value = static_cast<int>(i) < sharing ? shared : cast.values[i];
    facts.push_back(say(cast.about.fact, name_of(cast, i), word(cast.about.values, value)));
  }
  return {tell(draw, std::move(facts), room),
          {QuestionType::score,
           say(cast.about.how_many, "", word(cast.about.values, shared)),
           {{"none"}, {"one"}, {"two"}, {"three"}}},
          static_cast<size_t>(sharing)};
}

}  // namespace

DecisionExample make_decision(QuestionType type, Draw& draw, const Room& room) {
  switch (type) {
    case QuestionType::predicate: return ask_whether(draw, room);
    case QuestionType::choice: return ask_which(draw, room);
    case QuestionType::score: break;
  }
  return ask_how_many(draw, room);
}

}  // namespace unmask
