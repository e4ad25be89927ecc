#include "apps/options/arguments.h"

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "core/platform/processor.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

RequestOptions parse(std::vector<std::string> words) {
  RequestOptions options;
  CLI::App app;
  add_generation_arguments(app, options);
  std::reverse(words.begin(), words.end());
  app.parse(words);
  return options;
}

TEST(SeedArgument, MinusOneDrawsASeedThatIsNamed) {
  const RequestOptions drawn = parse({"--seed", "-1"});
  EXPECT_TRUE(drawn.seed_drawn);
  EXPECT_NE(drawn.seed, parse({"--seed=-1"}).seed);  // wrong once in four thousand million runs
  std::istringstream in;
  std::ostringstream err;
  Console console{in, err, err};
  announce_seed(drawn.seed, drawn.seed_drawn, console);
  EXPECT_EQ(err.str(), fmt::format("unmask: seed {}\n", drawn.seed));

  const RequestOptions chosen = parse({"--seed", "18446744073709551615"});
  EXPECT_EQ(chosen.seed, 18446744073709551615U);
  announce_seed(chosen.seed, chosen.seed_drawn, console);
  EXPECT_EQ(err.str(), fmt::format("unmask: seed {}\n", drawn.seed));
}

TEST(SeedArgument, OtherNegativeNumbersAreRefused) {
  for (const char* wrong : {"-2", "1.5", "", "7x", "18446744073709551616"}) {
    EXPECT_THROW(parse({"--seed", wrong}), CLI::ParseError) << wrong;
  }
}

TEST(Arguments, TakeTheNamesOfOtherPrograms) {
  EXPECT_EQ(parse({"--temp", "0.5"}).temperature, 0.5);
  EXPECT_EQ(parse({"--alg", "entropy"}).algorithm, "entropy");
  EXPECT_EQ(parse({"--cfg", "1"}).cfg_scale, 1);
  ModelArguments model;
  CLI::App app;
  add_model_arguments(app, model);
  app.parse("-m x -t 3");
  EXPECT_EQ(model.threads, 3);
}

TEST(Threads, AreAtMostTheProcessorsAndThatIsSaid) {
  std::istringstream in;
  std::ostringstream err;
  Console console{in, err, err};
  const int processors = available_threads();
  EXPECT_EQ(threads_for(0, console), processors);
  EXPECT_EQ(threads_for(1, console), 1);
  EXPECT_EQ(threads_for(processors, console), processors);
  EXPECT_EQ(err.str(), "");
  EXPECT_EQ(threads_for(processors + 1, console), processors);
  EXPECT_THAT(err.str(), HasSubstr(fmt::format("{} threads", processors + 1)));
}

}  // namespace
}  // namespace unmask
