#include "core/platform/memory.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

TEST(Memory, TheSystemSaysWhatItHas) {
  EXPECT_GT(available_memory().value_or(1), 0);
  EXPECT_GT(peak_memory(), int64_t{1} << 20);
}

}  // namespace
}  // namespace unmask
