// Golden cases that no test understands are reported, never skipped in silence.
#include <gtest/gtest.h>
#include <iostream>

#include "support/golden.h"

namespace unmask::golden {
namespace {

TEST(GoldenUnclaimed, EveryCaseHasATestThatUnderstandsIt) {
  const std::vector<Case> rest = unclaimed();
  for (const Case& c : rest) {
    std::cout << "not understood by any test: " << c.label() << " (kind '" << c.kind() << "')\n";
  }
  if (is_foreign_root() && !rest.empty()) {
    GTEST_SKIP() << rest.size() << " of " << all_cases().size() << " cases were not run";
  }
  EXPECT_TRUE(rest.empty()) << "the repository's own golden data must all be understood";
}

}  // namespace
}  // namespace unmask::golden
