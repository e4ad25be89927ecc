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

TEST(Registry, KnowsTheOptionsOfEveryMethod) {
  EXPECT_TRUE(method_options("full").empty());
  const std::vector<std::string> options = method_options("sparsed");
  for (const char* name : {"skip", "select", "block", "reuse"}) {
    EXPECT_EQ(std::count(options.begin(), options.end(), name), 1) << name;
  }
  for (const std::string& name : method_names()) EXPECT_NO_THROW(method_options(name)) << name;
  EXPECT_THROW(method_options("ful"), Error);
}

}  // namespace
}  // namespace unmask
