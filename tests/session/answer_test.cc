#include "session/answer.h"

#include <gtest/gtest.h>

#include "support/byte_model.h"

namespace unmask {
namespace {

using testing::kMask;

TEST(KnownText, HasHolesForMasksBetweenTokensOnly) {
  const ModelFiles files = testing::files_of(Family::llada);
  const auto text = [&](const std::vector<TokenId>& tokens) {
    return known_text(files.tokenizer(), tokens, kMask);
  };
  EXPECT_EQ(text({'a', 'b'}), "ab");
  EXPECT_EQ(text({'a', kMask, kMask}), "a");
  EXPECT_EQ(text({kMask, 'a', kMask, kMask, 'b', kMask}), "___a___b");
  EXPECT_EQ(text({kMask, kMask}), "");
  EXPECT_EQ(text({}), "");
}

}  // namespace
}  // namespace unmask
