#include "apps/options/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "core/error.h"
#include "support/byte_model.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

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

TEST(WarnAboutLength, NamesTheNumbers) {
  std::istringstream in;
  std::ostringstream err;
  Console console{in, err, err};
  const ModelFiles files = testing::files_of(Family::llada);
  warn_about_length(build_request({.gen_length = 32}, files, {}), files.config(), console);
  EXPECT_EQ(err.str(), "");
  warn_about_length(build_request({.gen_length = 128}, files, {'a'}), files.config(), console);
  EXPECT_THAT(err.str(), HasSubstr("129 tokens (1 of prompt, 128 to generate)"));
}

}  // namespace
}  // namespace unmask
