#include "methods/registry.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask {
namespace {

TEST(Registry, BuildsByNameAndNamesWhatItDoesNotKnow) {
  const ModelConfig config;
  for (const char* right : {"full", "full:"}) {
    EXPECT_EQ(create_method(right, {config, 0})->name(), "full");
  }
  for (const char* wrong : {"", "ful", "full:a", "full:=1", "full:a=1"}) {
    EXPECT_THROW(create_method(wrong, {config, 0}), Error) << wrong;
  }
  const std::vector<std::string> names = method_names();
  EXPECT_EQ(std::count(names.begin(), names.end(), "full"), 1);
}

}  // namespace
}  // namespace unmask
