// Scorers and the reader of example files, against expectations made by hand.
#include "eval/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "eval/dataset.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

double score(Metric metric, std::vector<std::string> references, std::string_view answer) {
  Example example;
  example.metric = metric;
  example.references = std::move(references);
  return score_answer(example, answer);
}

TEST(Metric, AllIsTheShareThatIsContainedWhateverTheCase) {
  EXPECT_EQ(score(Metric::all, {"4821"}, "brave otter: 4821"), 1);
  EXPECT_EQ(score(Metric::all, {"4821"}, "brave otter: 482"), 0);
  EXPECT_EQ(score(Metric::all, {"River", "4821", "snow", "17"}, "a: RIVER, b: 4821, c: sno"), 0.5);
}

TEST(Metric, AnyNeedsOne) {
  EXPECT_EQ(score(Metric::any, {"Paris", "the capital"}, "It is paris."), 1);
  EXPECT_EQ(score(Metric::any, {"Paris", "the capital"}, "It is Lima."), 0);
}

TEST(Metric, ExactIgnoresBlanksAroundOnly) {
  EXPECT_EQ(score(Metric::exact, {"no", "yes"}, " yes\n"), 1);
  EXPECT_EQ(score(Metric::exact, {"yes"}, "Yes"), 0);
  EXPECT_EQ(score(Metric::exact, {"a b"}, "a  b"), 0);
}

TEST(Metric, RegexSearches) {
  EXPECT_EQ(score(Metric::regex, {R"(\b4\d{3}\b)"}, "it is 4821!"), 1);
  EXPECT_EQ(score(Metric::regex, {R"(^\d+$)"}, "it is 4821!"), 0);
  EXPECT_EQ(score(Metric::regex, {R"((?i)\bjos\x{e9}\b)"}, "JOS\xc3\x89"), 1);
  EXPECT_THROW(score(Metric::regex, {"("}, "x"), Error);
}

TEST(Metric, NumericComparesTheLastNumbers) {
  EXPECT_EQ(score(Metric::numeric, {"so 6 * 7\n#### 42"}, "6 times 7 gives 42."), 1);
  EXPECT_EQ(score(Metric::numeric, {"1,234"}, "$1234.00"), 1);
  EXPECT_EQ(score(Metric::numeric, {"-3.50"}, "-3.5"), 1);
  EXPECT_EQ(score(Metric::numeric, {"42"}, "42 or 43"), 0);
  EXPECT_EQ(score(Metric::numeric, {"42"}, "none"), 0);
  EXPECT_THROW(score(Metric::numeric, {"none"}, "42"), Error);
}

TEST(Metric, FindsTheLastNumber) {
  EXPECT_EQ(last_number("12,345,678 and 9.10"), "9.1");
  EXPECT_EQ(last_number("12,345,678"), "12345678");
  EXPECT_EQ(last_number("in 1999, 2001"), "2001");
  EXPECT_EQ(last_number("5.0"), "5");
  EXPECT_EQ(last_number("100"), "100");
  EXPECT_EQ(last_number("no"), std::nullopt);
}

TEST(Metric, NamesAreTheirOwnInverse) {
  for (const std::string& name : metric_names()) EXPECT_EQ(metric_name(parse_metric(name)), name);
  EXPECT_THROW(parse_metric("best"), Error);
}

Example parse(std::string_view line, std::optional<Metric> metric = std::nullopt) {
  return parse_example(line, metric, "[here]");
}

TEST(Dataset, ReadsPromptsAndAnswers) {
  const Example plain = parse(R"({"prompt": "a?", "answer": "b", "id": 7})");
  EXPECT_EQ(plain.messages[0].role, "user");
  EXPECT_EQ(plain.messages[0].content, "a?");
  EXPECT_EQ(plain.metric, Metric::exact);
  EXPECT_THAT(plain.references, ElementsAre("b"));

  const Example several =
      parse(R"({"question": "a?", "answers": ["b", "c"], "gen_length": 64})", Metric::any);
  EXPECT_EQ(several.metric, Metric::any);
  EXPECT_THAT(several.references, ElementsAre("b", "c"));
  EXPECT_EQ(several.gen_length, 64);
  EXPECT_EQ(parse(R"({"prompt": "a", "answer": "b", "metric": "regex"})", Metric::any).metric,
            Metric::regex);

  const Example unlabelled = parse(
      R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]})");
  EXPECT_EQ(unlabelled.metric, Metric::none);
  EXPECT_EQ(unlabelled.messages.size(), 2U);
}

TEST(Dataset, ReadsChoices) {
  for (const char* answer : {"1", "\"Lima\""}) {
    const Example e = parse(
        fmt::format(R"({{"question": "?", "choices": ["Oslo", "Lima"], "answer": {}}})", answer));
    EXPECT_EQ(e.metric, Metric::choice);
    EXPECT_THAT(e.references, ElementsAre("Lima"));
    EXPECT_THAT(e.choices, ElementsAre("Oslo", "Lima"));
  }
}

TEST(Dataset, RefusesWhatIsNoExample) {
  for (const char* line :
       {"x", "3", "{}", R"({"prompt": 3})", R"({"messages": []})",
        R"({"messages": [{"role": "user"}]})", R"({"prompt": "a", "answer": 3})",
        R"({"prompt": "a", "answers": []})",
        R"({"prompt": "a", "choices": ["b", "c"], "answer": 2})",
        R"({"prompt": "a", "choices": ["b", "c"], "answer": "d"})",
        R"({"prompt": "a", "choices": ["b"], "answer": 0})",
        R"({"prompt": "a", "choices": ["b", "c"]})", R"({"prompt": "a", "metric": "exact"})",
        R"({"prompt": "a", "answer": "b", "metric": "best"})",
        R"({"prompt": "a", "answer": "(", "metric": "regex"})",
        R"({"prompt": "a", "answer": "b", "gen_length": 0})"}) {
    EXPECT_THROW(parse(line), Error) << line;
  }
}

TEST(Dataset, ReadsTheFirstExamplesOfAFile) {
  const testing::TempDir folder;
  const auto file =
      folder.write("some.jsonl", "{\"prompt\": \"a\"}\n\n{\"prompt\": \"b\"}\n{\"prompt\": 3}\n");
  EXPECT_EQ(read_dataset(file.string(), 2)[1].messages[0].content, "b");
  try {
    read_dataset(file.string(), 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("some.jsonl:4"));
  }
  EXPECT_THROW(read_dataset(folder.write("none.jsonl", "\n").string(), 3), Error);
}

}  // namespace
}  // namespace unmask
