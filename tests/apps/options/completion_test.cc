#include "apps/options/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/options/arguments.h"

namespace unmask {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() {
    CLI::App* cook = app_.add_subcommand("cook", "It's warm [mostly]");
    cook->add_option("-d,--dir", text_, "A folder's name [x]")->type_name("DIR");
    restrict_to(cook->add_option("--heat", text_, "How hot"), {"low", "high"});
    cook->add_flag("--dry", flag_, "No water");
    CLI::App* eat = app_.add_subcommand("eat", "Later");
    restrict_to(eat->add_option("meal", text_, "Which"), {"lunch", "dinner"});
    commands_ = completion_commands(app_);
  }

  CLI::App app_{"Kitchen", "kitchen"};
  std::string text_;
  bool flag_ = false;
  std::vector<CompletionCommand> commands_;
};

TEST_F(CompletionTest, CollectsWhatIsDeclared) {
  ASSERT_EQ(commands_.size(), 3U);
  EXPECT_EQ(commands_[0].name, "kitchen");
  EXPECT_EQ(commands_[1].name, "cook");
  const auto& arguments = commands_[1].arguments;
  ASSERT_EQ(arguments.size(), 4U) << "with --help";
  EXPECT_EQ(arguments[1].names, (std::vector<std::string>{"-d", "--dir"}));
  EXPECT_EQ(arguments[1].kind, CompletionKind::directories);
  EXPECT_EQ(arguments[2].words, (std::vector<std::string>{"low", "high"}));
  EXPECT_FALSE(arguments[3].takes_value);
}

TEST_F(CompletionTest, Bash) {
  const std::string script = bash_completion(commands_);
  EXPECT_THAT(script, HasSubstr("case $word in cook|eat)"));
  EXPECT_THAT(script, HasSubstr("cook,-d|cook,--dir) mapfile -t COMPREPLY < <(compgen -d"));
  EXPECT_THAT(script, HasSubstr("compgen -W 'low high'"));
  EXPECT_THAT(script, HasSubstr("compgen -W 'lunch dinner'"));
  EXPECT_THAT(script, HasSubstr("complete -o filenames -F _kitchen kitchen"));
}

TEST_F(CompletionTest, Zsh) {
  const std::string script = zsh_completion(commands_);
  EXPECT_THAT(script, HasSubstr("#compdef kitchen"));
  EXPECT_THAT(script, HasSubstr(R"('cook:It'\''s warm [mostly]')"));
  EXPECT_THAT(
      script,
      HasSubstr(R"('(-d --dir)'{-d,--dir}'[A folder'\''s name \[x\]]:directory:_files -/')"));
  EXPECT_THAT(script, HasSubstr("--heat'[How hot]:value:(low high)'"));
  EXPECT_THAT(script, HasSubstr("--dry'[No water]'"));
  EXPECT_THAT(script, HasSubstr("'1:value:(lunch dinner)'"));
}

TEST_F(CompletionTest, Fish) {
  const std::string script = fish_completion(commands_);
  EXPECT_THAT(script, HasSubstr(R"(-n __fish_use_subcommand -a cook -d 'It\'s warm [mostly]')"));
  EXPECT_THAT(script, HasSubstr("from cook' -s d -l dir -x -a '(__fish_complete_directories)'"));
  EXPECT_THAT(script, HasSubstr("from cook' -l dry -d 'No water'"));
  EXPECT_THAT(script, HasSubstr("from cook' -l heat -x -a 'low high'")) << "and no files";
  EXPECT_THAT(script, HasSubstr("from eat' -a 'lunch dinner' -d 'Which'"));
}

TEST(Completion, KnowsTheOptionsOfMethods) {
  CLI::App app{"x", "x"};
  RequestOptions options;
  add_generation_arguments(*app.add_subcommand("run", "x"), options);
  const auto commands = completion_commands(app);
  EXPECT_THAT(bash_completion(commands), HasSubstr("_unmask_methods \"$current\""));
  EXPECT_THAT(bash_completion(commands), ContainsRegex("sparsed\\) words='[^']*skip=[^']*block="));
  EXPECT_THAT(zsh_completion(commands), HasSubstr(":method:_unmask_methods'"));
  EXPECT_THAT(zsh_completion(commands), ContainsRegex("sparsed\\) words=.[^)]*skip="));
  EXPECT_THAT(fish_completion(commands), HasSubstr("-l method -x -a '(__unmask_methods)'"));
  EXPECT_THAT(fish_completion(commands), ContainsRegex("case sparsed\n[^\n]*skip="));
}

}  // namespace
}  // namespace unmask
