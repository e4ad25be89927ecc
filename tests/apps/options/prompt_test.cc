#include "apps/options/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "core/error.h"
#include "support/byte_model.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ReadPrompt, DropsOneLineBreakOfFilesAndStreams) {
  std::istringstream in("from stdin\n\n");
  std::ostringstream out;
  Console console{in, out, out};
  EXPECT_EQ(read_prompt({.text = "as it is\n"}, console), "as it is\n");
  EXPECT_EQ(read_prompt({}, console), "from stdin\n");
  const testing::TempDir directory;
  EXPECT_EQ(read_prompt({.file = directory.write("p", "x\n").string()}, console), "x");
  EXPECT_THROW(read_prompt({.file = (directory.path() / "none").string()}, console), Error);
  EXPECT_THROW(read_prompt({.file = directory.path().string()}, console), Error);
  EXPECT_EQ(out.str(), "");
}

TEST(ReadPrompt, TextsOfEverySystemReadAlike) {
  std::istringstream in("\xEF\xBB\xBFone\r\ntwo\r\n");
  std::ostringstream out;
  Console console{in, out, out};
  EXPECT_EQ(read_prompt({}, console), "one\ntwo");
  const testing::TempDir directory;
  const auto read = [&](std::string_view text) {
    return read_prompt({.file = directory.write("p", text).string()}, console);
  };
  EXPECT_EQ(read("\xEF\xBB\xBFone\r\n\r\ntwo\r\n"), "one\n\ntwo");
  EXPECT_EQ(read("a\rb\xEF\xBB\xBF"), "a\rb\xEF\xBB\xBF") << "only at their places";
  try {
    read(std::string_view("\xFF\xFEo\0n\0", 6));
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("UTF-16"));
  }
}

TEST(LengthWarnings, NameTheNumbers) {
  const ModelFiles files = testing::files_of(Family::llada);
  const auto warnings = [&](const RequestOptions& asked, std::vector<TokenId> prompt) {
    return length_warnings(build_request(asked, files, std::move(prompt)), files.config());
  };
  EXPECT_THAT(warnings({.gen_length = 32}, {}), IsEmpty());
  EXPECT_THAT(warnings({.gen_length = 128}, {'a'}),
              ElementsAre(HasSubstr("129 tokens (1 of prompt, 128 to generate)")));
  EXPECT_THAT(warnings({.max_tokens = 500}, {'a'}), ElementsAre(HasSubstr("501 tokens")))
      << "what it may grow to";
}

TEST(WarnOnce, SaysNothingTwice) {
  std::istringstream in;
  std::ostringstream err;
  Console console{in, err, err};
  std::set<std::string> said;
  warn_once({"one", "two"}, said, console);
  warn_once({"two", "three"}, said, console);
  EXPECT_EQ(err.str(), "unmask: warning: one\nunmask: warning: two\nunmask: warning: three\n");
}

}  // namespace
}  // namespace unmask
