// DSB against the released code: tokens and confidences after every call, rows fed.
#include "methods/cache_golden.h"

namespace unmask {
namespace {

const golden::Claim kDsbClaim([](const golden::Case& c) { return c.kind() == "dsb"; });

class GoldenDsb : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenDsb, GenerationEqualsTheReference) {
  testing::CacheCase c(GetParam());
  const auto& params = c.params();
  std::string method = "dsb:window=" + params["window"].get<std::string>();
  method += params["cache"].get<bool>()
                ? fmt::format(",prefix={}", params["prefix_window"].get<int>())
                : ",cache=false";
  c.check_generation(method);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenDsb);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenDsb, ::testing::ValuesIn(kDsbClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
