#include "apps/reports/eval_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

namespace unmask {
namespace {

using ::testing::SizeIs;

/// Colours of the list below the plots.
std::vector<std::string> listed_colours(const std::string& page) {
  const std::regex item("<li><span style=\"color:(#[0-9a-f]+)\">");
  std::vector<std::string> colours;
  for (std::sregex_iterator i(page.begin(), page.end(), item), end; i != end; ++i) {
    colours.push_back((*i)[1]);
  }
  return colours;
}

TEST(EvalPage, MethodsThatDifferInOptionsOnlyShareAColour) {
  Summary summary;
  for (const char* method :
       {"sparse-dllm:keep=0.5", "sparse-dllm:keep=0.3", "sparsed",
        "sparse-dllm:keep=0.5+sparsed:block=16,skip=0", "sparse-dllm+sparsed"}) {
    MethodSummary& m = summary.methods.emplace_back();
    m.method = method;
    m.score = 0.5;
  }
  const std::vector<std::string> colours = listed_colours(eval_page({}, summary, 1));
  ASSERT_THAT(colours, SizeIs(5));
  EXPECT_EQ(colours[0], colours[1]);
  EXPECT_EQ(colours[3], colours[4]);
  EXPECT_NE(colours[0], colours[3]);
  EXPECT_NE(colours[2], colours[3]);
}

}  // namespace
}  // namespace unmask
