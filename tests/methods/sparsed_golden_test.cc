// Whole generations of the released SparseD code: tokens after every step, the patterns bit for bit
// and the logits of the first sparse step.
#include <gtest/gtest.h>

#include "generate/sequence.h"
#include "methods/sparsed.h"
#include "support/golden.h"
#include "support/golden_request.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask {
namespace {

const golden::Claim kSparsedClaim([](const golden::Case& c) { return c.kind() == "sparsed"; });

/// Rows that the plain backend computes in about a second; larger cases run on the CPU only.
constexpr int kReferenceWork = 1400;

/// Block masks as the golden data stores them, [heads, blocks, blocks].
std::vector<uint8_t> mask_of(const BlockPattern& pattern) {
  const auto n = static_cast<size_t>(pattern.n_blocks());
  std::vector<uint8_t> mask(static_cast<size_t>(pattern.n_heads()) * n * n);
  for (int head = 0; head < pattern.n_heads(); ++head) {
    for (int row = 0; row < pattern.n_blocks(); ++row) {
      const size_t at = (static_cast<size_t>(head) * n + static_cast<size_t>(row)) * n;
      for (const uint16_t b : pattern.list(head, row)) mask[at + b] = 1;
    }
  }
  return mask;
}

/// One case, step by step, with a look into the method.
class Replay {
 public:
  Replay(const golden::Case& c, const std::string& backend)
      : case_(c),
        file_(c.directory() / "tensors.safetensors"),
        model_(golden::find_folder(c.json["checkpoint"], "config.json"),
               testing::make_backend(backend)) {
    request_ = golden::request_of(c, model_.config);
    const auto& s = c.json["sparsed"];
    request_.method = fmt::format("sparsed:skip={},select={},block={}", s["skip"].get<double>(),
                                  s["select"].get<double>(), s["block_size"].get<int>());
  }

  void run() {
    const auto trajectory = testing::values<TokenId>(file_.at("trajectory"));
    const auto transfer = testing::values<int>(file_.at("num_transfer"));
    Sequence sequence(request_, model_.config);
    int full_steps = 0;
    for (size_t step = 0; !sequence.done(); ++step) {
      SequencePass slice = sequence.plan();
      auto& method = dynamic_cast<SparseD&>(*slice.method);
      if (!method.sparse()) ++full_steps;
      if (case_.json["expect"]["first_sparse_step"] == step) check_logits(slice);
      advance(sequence, std::move(slice));
      if (case_.json["expect"]["mask_step"] == step) check_patterns(method);
      const auto row =
          trajectory.begin() + static_cast<std::ptrdiff_t>(step * sequence.tokens().size());
      ASSERT_TRUE(std::equal(sequence.tokens().begin(), sequence.tokens().end(), row))
          << "step " << step;
      ASSERT_EQ(static_cast<int>(sequence.decided().size()), transfer[step]) << "step " << step;
    }
    EXPECT_EQ(full_steps, case_.json["expect"]["full_attention_steps"]);
  }

 private:
  Tensor logits(Tensor hidden) {
    const size_t floats =
        static_cast<size_t>(hidden.rows) * static_cast<size_t>(model_.config.vocab_size);
    logits_ = model_.backend->allocate(floats * sizeof(float));
    const Tensor out = logits_.view(hidden.rows, model_.config.vocab_size);
    model_.transformer.logits(hidden, out);
    return out;
  }

  void advance(Sequence& sequence, SequencePass slice) {
    std::vector<TokenStats> stats(sequence.candidates().size());
    if (!slice.plan.rows.empty()) {
      const Tensor out = logits(model_.transformer.forward(std::span(&slice, 1)));
      model_.backend->token_stats(out, sequence.candidates(), sequence.query(), stats);
    }
    sequence.apply(stats, {});
  }

  void check_logits(const SequencePass& planned) {
    SequencePass slice = planned;
    slice.plan.rows = Rows(slice.step.all());
    const auto& rows = case_.json["first_sparse_logits_rows"];
    slice.wanted = Rows(Range{rows[0], rows[1]});
    const Tensor out = logits(model_.transformer.forward(std::span(&slice, 1)));
    const auto expected = testing::values<float>(file_.at("first_sparse_logits"));
    for (int r = 0; r < out.rows; ++r) {
      for (int c = 0; c < out.cols; ++c) {
        const auto i = static_cast<size_t>(r) * static_cast<size_t>(out.cols);
        ASSERT_NEAR(out.f32(r)[c], expected[i + static_cast<size_t>(c)], 1e-3) << r << ", " << c;
      }
    }
  }

  void check_patterns(const SparseD& method) {
    std::vector<uint8_t> masks;
    for (const BlockPattern& pattern : method.patterns()) {
      const std::vector<uint8_t> mask = mask_of(pattern);
      masks.insert(masks.end(), mask.begin(), mask.end());
    }
    EXPECT_EQ(masks, testing::values<uint8_t>(file_.at("block_mask")));
  }

  const golden::Case& case_;
  SafetensorsFile file_;
  testing::LoadedModel model_;
  Request request_;
  Buffer logits_;
};

class GoldenSparsed : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenSparsed, CpuEqualsTheReleasedCode) { Replay(GetParam(), "cpu").run(); }

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenSparsed);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenSparsed, ::testing::ValuesIn(kSparsedClaim.cases()),
                         golden::test_name);

std::vector<golden::Case> small_cases() {
  std::vector<golden::Case> cases = kSparsedClaim.cases();
  std::erase_if(cases, [](const golden::Case& c) {
    return c.json["seq_len"].get<int>() * c.json["params"]["steps"].get<int>() > kReferenceWork;
  });
  return cases;
}

class GoldenSparsedReference : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenSparsedReference, EqualsTheReleasedCode) { Replay(GetParam(), "reference").run(); }

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenSparsedReference);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenSparsedReference, ::testing::ValuesIn(small_cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
