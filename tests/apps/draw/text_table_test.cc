#include "apps/draw/text_table.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/draw/svg_plot.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const TextTable kTable{{"method", "score"}, {{"full", "1.000"}, {"a<b", "2"}}};

TEST(TextTable, AlignsNumbersToTheRight) {
  EXPECT_EQ(to_text(kTable),
            "method  score\n"
            "full    1.000\n"
            "a<b         2\n");
}

TEST(TextTable, IsMarkdown) {
  EXPECT_EQ(to_markdown(kTable),
            "| method | score |\n"
            "|---|---:|\n"
            "| `full` | 1.000 |\n"
            "| `a<b` | 2 |\n");
}

TEST(TextTable, IsHtml) {
  EXPECT_THAT(to_html(kTable), HasSubstr("<tr><td>a&lt;b</td><td>2</td></tr>"));
}

TEST(SvgPlot, PutsPointsWhereTheyBelong) {
  const std::string plot =
      scatter_plot({"t", "x", "y"}, {{0, 0, 0, "low", "1"}, {8, 1, 1, "<high>", "2"}});
  EXPECT_THAT(plot, HasSubstr("cx=\"56.0\" cy=\"296.0\""));
  EXPECT_THAT(plot, HasSubstr("cy=\"30.0\""));
  EXPECT_THAT(plot, HasSubstr("&lt;high&gt;"));
  EXPECT_THAT(plot, Not(HasSubstr("<high>")));
  EXPECT_THAT(scatter_plot({}, {}), HasSubstr("</svg>")) << "an empty plot is one, too";
}

TEST(SvgPlot, LeavesOutBarsWithoutAValue) {
  const std::string plot = bar_plot("t", {"512", "1,024"}, {{"full", 0, {0.5, std::nan("")}}});
  EXPECT_THAT(plot, HasSubstr("full, 512: 0.500"));
  EXPECT_THAT(plot, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace unmask
