// Whole generations of the model families' own code: the canvas after every step that changes it,
// and the result. Ours may make other calls: it keeps finished blocks and merges commits.
#include <gtest/gtest.h>
#include <set>

#include "generate/engine.h"
#include "support/drafted.h"
#include "support/family_request.h"
#include "support/golden.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask {
namespace {

using Canvas = std::vector<TokenId>;

constexpr TokenId kAbsent = -1;

const std::set<std::string> kLoops{"llada",        "llada2.0", "llada2.1", "sdar",
                                   "fast-dllm-v2", "mdlm",     "bd3lm",    "dreamon"};
const golden::Claim kFamilyClaim([](const golden::Case& c) {
  return c.kind() == "generate" && kLoops.contains(c.json.value("loop", ""));
});

/// Without repetitions.
void append(std::vector<Canvas>& canvases, Canvas canvas) {
  if (canvases.empty() || canvases.back() != canvas) canvases.push_back(std::move(canvas));
}

/// The canvases of the reference. What does not exist yet is a mask in ours; where lengths change,
/// the part that is not there is cut off.
std::vector<Canvas> expected_canvases(const golden::Case& c, const SafetensorsFile& file,
                                      TokenId mask_id) {
  const StoredTensor& trajectory = file.at("trajectory");
  const auto values = testing::values<TokenId>(trajectory);
  const auto width = static_cast<std::ptrdiff_t>(trajectory.shape[1]);
  const bool moves = c.json["loop"] == "dreamon";
  // The last row of Fast-dLLM v2 is the result, cut, over what was there.
  const auto rows = trajectory.shape[0] - (c.json["loop"] == "fast-dllm-v2" ? 1 : 0);
  std::vector<Canvas> canvases;
  for (std::ptrdiff_t row = 0; row < rows; ++row) {
    Canvas canvas(values.begin() + row * width, values.begin() + (row + 1) * width);
    if (moves) {
      std::erase(canvas, kAbsent);
    } else {
      std::replace(canvas.begin(), canvas.end(), kAbsent, mask_id);
    }
    append(canvases, std::move(canvas));
  }
  return canvases;
}

struct Generation {
  std::vector<Canvas> canvases;
  Result result;
};

Generation run_request(testing::LoadedModel& model, const Request& request) {
  Generation run;
  run.canvases.push_back(request.tokens);
  const auto watch = [&](const StepEvent& event) {
    append(run.canvases, {event.tokens.begin(), event.tokens.end()});
    return true;
  };
  run.result = generate(model.transformer, {&request, 1}, watch)[0];
  return run;
}

/// Compares as far as both reach; where a run was stopped, masks of the reference count for
/// nothing, because ours fills them with the end token.
void expect_equal(Canvas found, const Canvas& expected, TokenId mask_id, bool stopped) {
  for (size_t p = 0; p < std::min(found.size(), expected.size()); ++p) {
    if (stopped && expected[p] == mask_id) found[p] = mask_id;
  }
  const size_t common = std::min(found.size(), expected.size());
  EXPECT_TRUE(std::equal(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(common),
                         expected.begin()));
}

void check_result(const golden::Case& c, const Request& request, const Result& found,
                  TokenId mask_id) {
  const Canvas expected = c.json["expect"]["result"];
  const std::string loop = c.json["loop"];
  if (loop.starts_with("llada2")) {
    const TokenId eos = request.eos_ids[0];
    const bool ended = !expected.empty() && expected.back() == eos;
    const auto begin = found.tokens.begin() + request.prompt_length;
    EXPECT_EQ(found.answer.size(), static_cast<int>(expected.size()) - (ended ? 1 : 0));
    EXPECT_EQ(Canvas(begin, begin + static_cast<std::ptrdiff_t>(expected.size())), expected);
    return;
  }
  ASSERT_LE(expected.size(), found.tokens.size());
  if (!found.stopped_early && loop != "fast-dllm-v2") {
    EXPECT_EQ(found.tokens.size(), expected.size());
  }
  // Behind an end token the reference leaves masks (SDAR) or writes padding (Fast-dLLM v2).
  const TokenId padding = c.json["params"].value("pad_id", mask_id);
  bool ended = false;
  for (size_t p = 0; p < expected.size(); ++p) {
    const bool ignored = ended && (expected[p] == mask_id || expected[p] == padding);
    EXPECT_TRUE(ignored || found.tokens[p] == expected[p]) << "position " << p;
    ended = ended || (static_cast<int>(p) >= request.prompt_length &&
                      std::count(request.eos_ids.begin(), request.eos_ids.end(), expected[p]) > 0);
  }
}

class GoldenFamily : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenFamily, EveryStepEqualsTheReference) {
  const golden::Case& c = GetParam();
  const auto directory = golden::find_folder(c.json["checkpoint"], "config.json");
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  testing::LoadedModel model(directory, testing::make_backend("cpu"), golden::overrides_of(c));
  const Request request = golden::family_request(c, model.config);
  const TokenId mask_id = model.config.mask_id;
  const std::vector<Canvas> expected = expected_canvases(c, file, mask_id);
  const Generation found = run_request(model, request);
  for (size_t i = 0; i < std::min(expected.size(), found.canvases.size()); ++i) {
    SCOPED_TRACE(fmt::format("canvas {}", i));
    const bool last = i + 1 == found.canvases.size();
    expect_equal(found.canvases[i], expected[i], mask_id, last && found.result.stopped_early);
    if (HasFailure()) break;
  }
  if (c.json["loop"] != "fast-dllm-v2") {
    // Filling up with the end token may be a change of its own.
    const size_t more = found.canvases.size() - expected.size();
    EXPECT_LE(more, found.result.stopped_early ? 1U : 0U);
  }
  check_result(c, request, found.result, mask_id);
}

TEST_P(GoldenFamily, FullRecomputationGivesTheSame) {
  const golden::Case& c = GetParam();
  if (c.json["loop"] == "fast-dllm-v2") GTEST_SKIP() << "its first tokens come from commits";
  const auto directory = golden::find_folder(c.json["checkpoint"], "config.json");
  testing::LoadedModel model(directory, testing::make_backend("cpu"), golden::overrides_of(c));
  Request request = golden::family_request(c, model.config);
  const Generation cached = run_request(model, request);
  request.method = "full";
  const Generation full = run_request(model, request);
  EXPECT_EQ(full.canvases, cached.canvases);
}

TEST_P(GoldenFamily, DraftsChangeNoCanvas) {
  const golden::Case& c = GetParam();
  const auto directory = golden::find_folder(c.json["checkpoint"], "config.json");
  testing::LoadedModel model(directory, testing::make_backend("cpu"), golden::overrides_of(c));
  const Request request = golden::family_request(c, model.config);
  std::string why;
  const std::optional<Request> drafted = testing::drafted(request, 3, model.config, why);
  if (!drafted) GTEST_SKIP() << why;
  const Generation plain = run_request(model, request);
  const Generation found = run_request(model, *drafted);
  EXPECT_EQ(found.canvases, plain.canvases);
  EXPECT_EQ(found.result.tokens, plain.result.tokens);
  EXPECT_LE(found.result.forward_passes, plain.result.forward_passes);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenFamily);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenFamily, ::testing::ValuesIn(kFamilyClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
