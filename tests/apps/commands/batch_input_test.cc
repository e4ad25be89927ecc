#include "apps/commands/batch_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

TEST(BatchInput, NumbersTheLinesOfFilesAndStreams) {
  std::istringstream in("\xef\xbb\xbf{}\n\n \r\n{\"a\":1}");
  std::ostringstream out;
  Console console{in, out, out};
  const auto lines = read_batch_lines("-", console);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, "{}");
  EXPECT_EQ(lines[0].where, "[batch] -:1");
  EXPECT_EQ(lines[1].where, "[batch] -:4");
  const testing::TempDir directory;
  EXPECT_THROW(read_batch_lines(directory.write("empty", "\n").string(), console), Error);
}

TEST(BatchInput, ANumberThatFitsNowhereIsNoReasonToRefuse) {
  const BatchEntry entry =
      parse_batch_entry({R"({"id": 1e400, "n": 123456789012345678901, "prompt": "1 2"})", "here"});
  EXPECT_EQ(entry.prompt, "1 2");
}

TEST(BatchInput, SaysWhereALineIsWrong) {
  for (const char* wrong : {"{", R"({"prompt": 3})", R"({"prompt": ""})", "[1]", R"({"a": 01})"}) {
    try {
      parse_batch_entry({wrong, "here"});
      FAIL() << wrong;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("here: "));
    }
  }
}

TEST(BatchInput, MembersComeBackAsTheyWereWritten) {
  EXPECT_EQ(answered_line(R"({"z": 1.0, "text":"old", "a":1e400,"prompt":"\u0041"})",
                          {{"text", "new"}, {"steps", 2}}),
            "{\"z\": 1.0,\"a\":1e400,\"prompt\":\"\\u0041\",\"text\":\"new\",\"steps\":2}\n");
}

}  // namespace
}  // namespace unmask
