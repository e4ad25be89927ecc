#include "apps/terminal/progress.h"

#include <gtest/gtest.h>
#include <sstream>

namespace unmask {
namespace {

using std::chrono::milliseconds;

TEST(ProgressLine, SaysNothingWhereNobodyLooksUnlessAsked) {
  std::ostringstream out;
  ProgressLine line(out, /*terminal=*/false);
  line.show("1 of 2");
  line.clear();
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressLine, WritesWholeLinesIntoALogNowAndThen) {
  std::ostringstream often;
  ProgressLine every(often, /*terminal=*/false, milliseconds(0));
  every.show("1 of 2");
  every.show("2 of 2");
  every.clear();
  EXPECT_EQ(often.str(), "unmask: 1 of 2\nunmask: 2 of 2\n");

  std::ostringstream seldom;
  ProgressLine line(seldom, /*terminal=*/false, kLogInterval);
  line.show("1 of 2");
  EXPECT_EQ(seldom.str(), "");
}

}  // namespace
}  // namespace unmask
