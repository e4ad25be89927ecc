#include "serve/api/holes.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask {
namespace {

using Parts = std::vector<FillPart>;

TEST(Holes, AreFoundWhereverTheyStand) {
  EXPECT_EQ(parse_holes("{{mask:3}}"), (Parts{{"", 3}}));
  EXPECT_EQ(parse_holes("a {{mask:3}} b"), (Parts{{"a ", 3}, {" b", 0}}));
  EXPECT_EQ(parse_holes("{{mask:1}}{{mask:4096}}x"), (Parts{{"", 1}, {"", 4096}, {"x", 0}}));
  EXPECT_EQ(parse_holes("{{ ___ {{mask:2}}}}"), (Parts{{"{{ ___ ", 2}, {"}}", 0}}));
}

TEST(Holes, RefusesWhatIsNone) {
  for (const char* text :
       {"", "no hole", "{{mask:}}", "{{mask:0}}", "{{mask:-1}}", "{{mask:4097}}",
        "{{mask:99999999999}}", "{{mask:3", "{{mask:3}", "{{mask: 3}}", "{{mask:3}} {{mask:x}}"}) {
    EXPECT_THROW(parse_holes(text), Error) << text;
  }
}

}  // namespace
}  // namespace unmask
