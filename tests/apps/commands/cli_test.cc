#include "apps/commands/cli.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/program.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using testing::call;
using ::testing::HasSubstr;
using testing::Outcome;
using ::testing::StartsWith;

TEST(Cli, HelpAndVersionSucceed) {
  EXPECT_EQ(call({"--version"}).status, kSuccess);
  EXPECT_THAT(call({"--version"}).out, StartsWith("unmask "));
  for (const char* command : {"run", "chat", "tokenize", "inspect", "models", "inspect-attention",
                              "eval", "tune", "calibrate", "score", "completion"}) {
    const Outcome help = call({command, "--help"});
    EXPECT_EQ(help.status, kSuccess);
    EXPECT_THAT(help.out, HasSubstr("Example"));
    EXPECT_EQ(help.err, "");
  }
}

TEST(Cli, MistakesOnTheCommandLineAreOneLineAndStatus2) {
  const std::vector<std::vector<std::string>> mistakes{
      {},
      {"walk"},
      {"run"},
      {"run", "-m", "x", "--steps", "0"},
      {"run", "-m", "x", "--steps", "many"},
      {"run", "-m", "x", "--dtype", "f8"},
      {"run", "-m", "x", "--device", "tpu"},
      {"run", "-m", "x", "--algorithm", "best"},
      {"run", "-m", "x", "-p", "a", "-f", "b"},
      {"run", "-m", "x", "-n", "8", "--fill", "___"},
      {"run", "-m", "x", "--seed", "-2"},
      {"run", "-m", "x", "--seed", "1.5"},
      {"batch", "-m", "x", "-f", "y", "--on-error", "ignore"},
      {"run", "-m", "x", "--delay", "5"},
      {"tokenize", "-m", "x", "--ids", "--json"},
      {"inspect"},
      {"inspect-attention", "-o", "a.png"},
      {"inspect-attention", "-m", "x", "--head", "one"},
      {"completion", "tcsh"},
  };
  for (const auto& arguments : mistakes) {
    const Outcome result = call(arguments);
    SCOPED_TRACE(result.err);
    EXPECT_EQ(result.status, kUsage);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, AllOf(StartsWith("unmask: error: "), HasSubstr("--help")));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  }
}

TEST(Cli, WhatCannotBeDoneIsStatus1) {
  for (const char* command : {"run", "chat", "tokenize"}) {
    const Outcome result = call({command, "-m", "/nonexistent"});
    EXPECT_EQ(result.status, kFailure);
    EXPECT_THAT(result.err, AllOf(StartsWith("unmask: error: "), HasSubstr("/nonexistent")));
  }
  EXPECT_EQ(call({"run", "-m", "x", "--json", "--trace", "-"}).status, kFailure);
  EXPECT_THAT(call({"inspect-attention", "-m", "x"}).err, HasSubstr("-o, or --json"));
  EXPECT_THAT(call({"inspect-attention", "-m", "x", "-o", "a.gif"}).err,
              HasSubstr(".png, .svg or .html"));
}

TEST(Cli, CompletionKnowsEveryCommandAndOption) {
  const Outcome script = call({"completion", "bash"});
  EXPECT_EQ(script.status, kSuccess);
  for (const char* word : {"--block-length", "tokenize", "maskgit_plus", "run,-m|run,--model)"}) {
    EXPECT_THAT(script.out, HasSubstr(word));
  }
}

}  // namespace
}  // namespace unmask
