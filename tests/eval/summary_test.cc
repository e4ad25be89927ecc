// Means, differences and the lines of results, against expectations made by hand.
#include "eval/summary.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace unmask {
namespace {

Record record(const std::string& task, const std::string& method, int index, double score,
              double seconds) {
  Record r;
  r.key = {task, 512, method, index};
  r.score = score;
  r.answer_tokens = 10;
  r.rows = 100;
  r.forward_passes = 4;
  r.seconds = seconds;
  return r;
}

TEST(Summary, ComparesWithTheFirstMethodOnTheSameExamples) {
  const std::vector<Record> records{record("a", "full", 0, 1, 2), record("a", "fast", 0, 0.5, 1),
                                    record("a", "full", 1, 0, 2), record("a", "fast", 1, 0.5, 1),
                                    record("b", "full", 0, 1, 4), record("b", "fast", 0, 0.25, 1),
                                    record("b", "full", 1, 0, 8)};  // not yet answered by the other
  const Summary summary = summarize(records);
  ASSERT_EQ(summary.methods.size(), 2U);
  const MethodSummary& full = summary.methods[0];
  const MethodSummary& fast = summary.methods[1];
  EXPECT_EQ(full.method, "full");
  EXPECT_DOUBLE_EQ(*full.score, (0.5 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(*fast.score, (0.5 + 0.25) / 2);
  EXPECT_DOUBLE_EQ(full.difference.value, 0);
  EXPECT_EQ(fast.difference.count, 3);
  EXPECT_DOUBLE_EQ(fast.difference.value, (-0.5 + 0.5 - 0.75) / 3);
  EXPECT_DOUBLE_EQ(fast.speed_up, (2 + 2 + 4) / 3.0);
  EXPECT_DOUBLE_EQ(fast.tokens_per_second, 10);
  EXPECT_DOUBLE_EQ(full.seconds, 4);
  EXPECT_DOUBLE_EQ(full.rows_per_token, 10);
  EXPECT_DOUBLE_EQ(full.passes_per_token, 0.4);
  EXPECT_EQ(summary.find({"b", 512}, "full")->score.count, 2);
  EXPECT_EQ(summary.find({"b", 1024}, "full"), nullptr);
}

TEST(Summary, StatesTheErrorOfAMean) {
  const std::vector<double> values{1, 2, 3, 4};
  const Mean mean = mean_of(values);
  EXPECT_DOUBLE_EQ(mean.value, 2.5);
  EXPECT_DOUBLE_EQ(mean.standard_error, std::sqrt(5.0 / 3 / 4));
  EXPECT_EQ(mean_of({}).count, 0);
  EXPECT_EQ(mean_of(std::span(values).first(1)).standard_error, 0);
}

TEST(Summary, WorksWithoutScores) {
  Record r = record("a", "full", 0, 1, 1);
  r.score.reset();
  r.fidelity = Fidelity{
      .token_agreement = 0.5, .step_agreement = 0.25, .output_error = 2, .retained_mass = {0.5, 1}};
  Record other = r;
  other.key.index = 1;
  other.fidelity->retained_mass = {0.25, 0.5};
  const std::vector<Record> records{r, other};
  const Summary summary = summarize(records);
  EXPECT_FALSE(summary.methods[0].score);
  EXPECT_EQ(summary.methods[0].difference.count, 0);
  EXPECT_DOUBLE_EQ(summary.methods[0].fidelity->retained_mass.value, (0.75 + 0.375) / 2);
  EXPECT_EQ(summary.methods[0].fidelity->mass_of_heads, (std::vector<double>{0.375, 0.75}));
  EXPECT_TRUE(to_json(summary)["methods"][0]["score"].is_null());
  EXPECT_TRUE(summarize({}).methods.empty());
}

TEST(Record, SurvivesItsLine) {
  Record r = record("a", "sparsed:skip=0", 3, 0.5, 0.25);
  r.answer = "brave otter: 4821";
  r.fidelity = Fidelity{
      .token_agreement = 0.5, .step_agreement = 0.25, .output_error = 2, .retained_mass = {0.5, 1}};
  const auto json = to_json(r);
  const Record back = parse_record(nlohmann::json::parse(json.dump()), "[here]");
  EXPECT_EQ(to_json(back), json);
  EXPECT_EQ(back.key, r.key);
  r.score.reset();
  EXPECT_FALSE(parse_record(nlohmann::json::parse(to_json(r).dump()), "[here]").score);
  EXPECT_THROW(parse_record(nlohmann::json::parse(R"({"task": "a"})"), "[here]"), Error);
}

TEST(Record, RefusesCountsThatAreNoWholeNumbersOfTheirType) {
  const auto good = to_json(record("a", "full", 3, 0.5, 0.25));
  for (const char* value :
       {"5.12e51", "2147483648", "18446744073709551615", "1.5", "-1", "null", "true", "\"4\""}) {
    auto bad = nlohmann::json::parse(good.dump());
    bad["canvas"] = nlohmann::json::parse(value);
    EXPECT_THROW(parse_record(bad, "[here]"), Error) << value;
  }
  EXPECT_THROW(parse_record(nlohmann::json::array(), "[here]"), Error);
}

}  // namespace
}  // namespace unmask
