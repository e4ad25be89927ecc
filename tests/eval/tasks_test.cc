#include "eval/tasks.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "core/error.h"

namespace unmask {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::string> words_in(std::string_view text) {
  std::istringstream stream{std::string(text)};
  return {std::istream_iterator<std::string>(stream), {}};
}

/// A tokenizer of words.
Room room(int tokens) {
  return {tokens, [](std::string_view text) { return static_cast<int>(words_in(text).size()); }};
}

Puzzle make(std::string_view task, int tokens, int index = 0, uint64_t seed = 0) {
  Draw draw(seed, task, tokens, index);
  return generated_task(task).make(draw, room(tokens));
}

TEST(Tasks, FillTheRoomAndNoMore) {
  for (const GeneratedTask& task : generated_tasks()) {
    for (const int tokens : {250, 700, 5000}) {
      const auto size = static_cast<int>(words_in(make(task.name, tokens).prompt).size());
      EXPECT_LE(size, tokens) << task.name;
      EXPECT_GT(size, tokens - 12) << task.name;
    }
  }
}

TEST(Tasks, TheWordingMovesTheQuestion) {
  for (const GeneratedTask& task : generated_tasks()) {
    const Puzzle last = make(task.name, 300);
    const size_t at = last.prompt.rfind(" Question: ");
    ASSERT_NE(at, std::string::npos) << task.name;
    const std::string question = last.prompt.substr(at + 1);
    for (const Wording wording : {Wording::first, Wording::both}) {
      Room worded = room(300);
      worded.wording = wording;
      Draw draw(0, task.name, 300, 0);
      const Puzzle puzzle = task.make(draw, worded);
      EXPECT_THAT(puzzle.prompt, StartsWith(question + " Text: ")) << task.name;
      EXPECT_EQ(puzzle.prompt.ends_with(question), wording == Wording::both) << task.name;
      EXPECT_EQ(puzzle.references, last.references) << "the same facts, asked in another way";
      EXPECT_LE(words_in(puzzle.prompt).size(), 300U) << task.name;
    }
  }
  EXPECT_EQ(parse_wording("both"), Wording::both);
  EXPECT_THROW(parse_wording("none"), Error);
}

TEST(Tasks, DependOnSeedLengthAndIndexAlone) {
  for (const GeneratedTask& task : generated_tasks()) {
    const Puzzle puzzle = make(task.name, 300, 5);
    EXPECT_EQ(make(task.name, 300, 5).prompt, puzzle.prompt);
    EXPECT_EQ(make(task.name, 300, 5).references, puzzle.references);
    EXPECT_NE(make(task.name, 300, 6).prompt, puzzle.prompt) << task.name;
    EXPECT_NE(make(task.name, 301, 5).prompt, puzzle.prompt) << task.name;
    EXPECT_NE(make(task.name, 300, 5, 1).prompt, puzzle.prompt) << task.name;
  }
}

// The examples of a seed must stay what they are: results would no longer be comparable.
TEST(Tasks, StayTheSameFromReleaseToRelease) {
  const Puzzle puzzle = make("multikey", 60);
  EXPECT_EQ(puzzle.prompt,
            "Text: A tired traveler ran around the broken gate. His uncle described the quiet lake "
            "last week. The number of the yellow tiger is silver. The number of the royal rabbit "
            "is tower. The local band wrote about the empty station without a word. His uncle "
            "described the city museum. Question: What is the number of the royal rabbit?");
  EXPECT_EQ(puzzle.references, std::vector<std::string>{"tower"});
}

TEST(Tasks, NeedlesHoldWhatIsAskedFor) {
  for (const auto& [task, references] : std::map<std::string, size_t>{
           {"single", 1}, {"multikey", 1}, {"multivalue", 3}, {"multiquery", 4}}) {
    for (int i = 0; i < 20; ++i) {
      const Puzzle puzzle = make(task, 400, i);
      const size_t question = puzzle.prompt.find(" Question: ");
      EXPECT_EQ(puzzle.references.size(), references);
      for (const std::string& value : puzzle.references) {
        EXPECT_THAT(puzzle.prompt.substr(0, question), HasSubstr(" is " + value + ".")) << task;
        EXPECT_THAT(puzzle.prompt.substr(question), ::testing::Not(HasSubstr(value))) << task;
      }
      EXPECT_THAT(puzzle.prompt, StartsWith("Text: "));
      EXPECT_THAT(puzzle.prompt, EndsWith("?"));
    }
  }
}

/// "Set beta = alpha." told as beta -> alpha.
std::map<std::string, std::string> assignments(const std::string& text) {
  std::map<std::string, std::string> sources;
  const std::vector<std::string> words = words_in(text);
  for (size_t i = 0; i + 3 < words.size(); ++i) {
    if (words[i] != "Set") continue;
    std::string source = words[i + 3];
    source.pop_back();
    EXPECT_TRUE(std::isdigit(static_cast<unsigned char>(source[0])) || sources.count(source) > 0)
        << "a variable is used after it was set";
    sources[words[i + 1]] = source;
  }
  return sources;
}

TEST(Tasks, TrackingAsksForTheVariablesOfOneValue) {
  for (int i = 0; i < 20; ++i) {
    const Puzzle puzzle = make("vt", 300, i);
    const auto sources = assignments(puzzle.prompt);
    ASSERT_EQ(sources.size(), 6U);
    std::set<std::string> expected;
    for (const auto& [name, source] : sources) {
      std::string value = source;
      while (sources.count(value) > 0) value = sources.at(value);
      if (puzzle.prompt.ends_with(value + "?")) expected.insert(name);
    }
    EXPECT_EQ(std::set(puzzle.references.begin(), puzzle.references.end()), expected);
  }
}

/// Words between "Words:" and the question, by frequency, the most frequent first.
std::vector<std::pair<int, std::string>> frequencies(const std::string& prompt) {
  const size_t begin = prompt.find("Words: ") + 7;
  std::map<std::string, int> counts;
  for (std::string& word : words_in(prompt.substr(begin, prompt.find(". Question") - begin)))
    ++counts[word];
  std::vector<std::pair<int, std::string>> sorted;
  for (const auto& [word, count] : counts) sorted.emplace_back(count, word);
  std::sort(sorted.rbegin(), sorted.rend());
  return sorted;
}

TEST(Tasks, CountingAsksForTheMostFrequentWords) {
  for (const int tokens : {250, 900, 20'000}) {
    const Puzzle common = make("cwe", tokens);
    const auto sorted = frequencies(common.prompt);
    std::set<std::string> first;
    for (size_t i = 0; i < 10; ++i) first.insert(sorted[i].second);
    EXPECT_EQ(std::set(common.references.begin(), common.references.end()), first);
    EXPECT_EQ(sorted[9].first, 10 * sorted[10].first) << tokens;

    const Puzzle frequent = make("fwe", tokens);
    const auto ranks = frequencies(frequent.prompt);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(frequent.references[i], ranks[i].second);
    EXPECT_GT(ranks[2].first, ranks[3].first);
  }
}

TEST(Tasks, QuestionsAreAnsweredByTheText) {
  for (int i = 0; i < 20; ++i) {
    const Puzzle one = make("qa1", 300, i);
    EXPECT_THAT(one.prompt, HasSubstr(" " + one.references[0] + "."));
    const Puzzle two = make("qa2", 300, i);
    const size_t asked = two.prompt.find("does ") + 5;
    const std::string name = two.prompt.substr(asked, two.prompt.find(' ', asked) - asked);
    const std::string lives = name + " lives in ";
    const size_t city = two.prompt.find(lives) + lives.size();
    EXPECT_THAT(two.prompt,
                HasSubstr(fmt::format("The people of {} speak {}.",
                                      two.prompt.substr(city, two.prompt.find('.', city) - city),
                                      two.references[0])));
  }
}

TEST(Tasks, SayWhenTheRoomIsTooSmall) {
  for (const GeneratedTask& task : generated_tasks()) {
    EXPECT_THROW(make(task.name, 6), Error) << task.name;
  }
  EXPECT_THROW(generated_task("tenkey"), Error);
}

TEST(Draw, IsUniformAndWithoutRepetition) {
  Draw draw(3, "test", 0, 0);
  std::vector<int> counts(5, 0);
  for (int i = 0; i < 5000; ++i) ++counts[static_cast<size_t>(draw.below(5))];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 120);
  for (int i = 0; i < 20; ++i) {
    const std::vector<int> some = draw.sample(7, 5);
    EXPECT_EQ(std::set(some.begin(), some.end()).size(), 5U);
    EXPECT_LT(*std::max_element(some.begin(), some.end()), 7);
  }
  std::vector<int> shuffled{1, 2, 3, 4, 5, 6};
  draw.shuffle(shuffled);
  EXPECT_THAT(shuffled, ::testing::UnorderedElementsAre(1, 2, 3, 4, 5, 6));
}

}  // namespace
}  // namespace unmask
