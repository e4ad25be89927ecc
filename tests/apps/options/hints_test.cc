#include "apps/options/hints.h"

#include <gtest/gtest.h>

#include "sampling/sampler.h"

namespace unmask {
namespace {

TEST(AsTyped, NamesOptionsWhereTheLibraryNamesItsFields) {
  const auto message = [](const SamplerOptions& options) -> std::string {
    try {
      check_options(options);
    } catch (const Error& error) {
      return as_typed(error);
    }
    return "";
  };
  SamplerOptions dream;
  dream.algorithm = Algorithm::entropy;
  dream.top_p = 3;
  EXPECT_EQ(message(dream), "[sampler] --top-p: found 3, expected a number in (0, 1]");
  SamplerOptions llada;
  llada.top_k = 3;
  EXPECT_EQ(message(llada),
            "[sampler] --top-p and --top-k belong to Dream's algorithms; 'low_confidence' has no "
            "such filter");
  SamplerOptions random;
  random.algorithm = Algorithm::random;
  random.alg_temp = 1;
  EXPECT_EQ(message(random), "[sampler] --alg-temp has no meaning for --algorithm 'random'");
}

TEST(AsTyped, LeavesWordsOfFilesAlone) {
  EXPECT_EQ(as_typed(Error("[config] x/generation_config.json: top_p: found 3")),
            "[config] x/generation_config.json: top_p: found 3");
  EXPECT_EQ(as_typed(Error("[memory] too much", ErrorCode::memory)),
            "[memory] too much; use fewer tokens or a smaller --dtype, or allow more with "
            "--max-memory");
}

}  // namespace
}  // namespace unmask
