#include "apps/options/mistakes.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

using Words = std::vector<std::string>;

TEST(Nearest, FindsSlipsAndBeginnings) {
  const Words words{"run", "batch", "tokenize", "--temperature", "--threads", "--threshold"};
  EXPECT_EQ(nearest("rnu", words), "run");
  EXPECT_EQ(nearest("bacth", words), "batch");
  EXPECT_EQ(nearest("tokenise", words), "tokenize");
  EXPECT_EQ(nearest("tok", words), "tokenize");
  EXPECT_EQ(nearest("--tempature", words), "--temperature");
  EXPECT_EQ(nearest("--treads", words), "--threads");
}

TEST(Nearest, DoesNotGuessWildly) {
  const Words words{"run", "batch", "--threads"};
  EXPECT_EQ(nearest("walk", words), std::nullopt);
  EXPECT_EQ(nearest("serve", words), std::nullopt);
  EXPECT_EQ(nearest("--verbose", words), std::nullopt);
  EXPECT_EQ(nearest("--th", {"--threads", "--threshold"}), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
}

TEST(UsualWords, TakeHelpAndVersionAsCommands) {
  EXPECT_EQ(usual_words({"help"}), Words{"--help"});
  EXPECT_EQ(usual_words({"help", "run"}), (Words{"run", "--help"}));
  for (const char* word : {"version", "-v", "-V"})
    EXPECT_EQ(usual_words({word}), Words{"--version"});
  EXPECT_EQ(usual_words({"run", "-p", "help"}), (Words{"run", "-p", "help"}));
  EXPECT_EQ(usual_words({}), Words{});
}

}  // namespace
}  // namespace unmask
