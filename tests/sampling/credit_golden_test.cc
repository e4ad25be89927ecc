// CreditDecoding against the released decoder, on full attention: tokens and confidences after
// every call.
#include "methods/cache_golden.h"

namespace unmask {
namespace {

const golden::Claim kCreditClaim([](const golden::Case& c) { return c.kind() == "credit"; });

class GoldenCredit : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenCredit, GenerationEqualsTheReference) {
  testing::CacheCase(GetParam()).check_generation("full");
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenCredit);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenCredit, ::testing::ValuesIn(kCreditClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
