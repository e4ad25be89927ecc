#include "methods/registry.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask {
namespace {

TEST(Registry, BuildsByNameAndNamesWhatItDoesNotKnow) {
  EXPECT_EQ(create_method("full")->name(), "full");
  for (const char* wrong : {"", "ful", "full:", "full:a", "full:=1", "full:a=1"}) {
    if (std::string_view(wrong) == "full:") continue;  // no options is fine
    EXPECT_THROW(create_method(wrong), Error) << wrong;
  }
  EXPECT_EQ(method_names().front(), "full");
}

}  // namespace
}  // namespace unmask
