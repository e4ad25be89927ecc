// A request's fingerprint changes with whatever changes its answer.
#include "session/request_identity.h"

#include <functional>
#include <gtest/gtest.h>
#include <set>

namespace unmask {
namespace {

TEST(RequestFingerprint, ChangesWithEveryOption) {
  const std::vector<std::function<void(Request&)>> changes{
      [](Request&) {},
      [](Request& r) { r.tokens[0] = 7; },
      [](Request& r) { r.prompt_length = 2; },
      [](Request& r) { r.block_length = 4; },
      [](Request& r) { r.steps = 3; },
      [](Request& r) { r.most_length = 64; },
      [](Request& r) { r.end_in_sight = 0.5; },
      [](Request& r) { r.cfg_scale = 1; },
      [](Request& r) { r.method = "fast-dllm"; },
      [](Request& r) { r.eos_ids = {1}; },
      [](Request& r) { r.early_stop = true; },
      [](Request& r) { r.sampler.temperature = 0.25; },
      [](Request& r) { r.sampler.top_k = 4; },
      [](Request& r) { r.sampler.top_p = 0.5; },
      [](Request& r) { r.sampler.threshold = 0.5; },
      [](Request& r) { r.sampler.seed = 1; },
      [](Request& r) { r.sampler.suppressed = {3}; },
      [](Request& r) { r.sampler.suppress_eos = true; },
      [](Request& r) { r.sampler.greedy = true; },
  };
  std::set<uint64_t> seen;
  for (const auto& change : changes) {
    Request request = append_masks({1, 2, 3}, 8, 500);
    change(request);
    EXPECT_TRUE(seen.insert(request_fingerprint(request)).second) << seen.size();
  }
  EXPECT_EQ(request_fingerprint(append_masks({1, 2, 3}, 8, 500)),
            request_fingerprint(append_masks({1, 2, 3}, 8, 500)));
}

}  // namespace
}  // namespace unmask
