// A model whose feed-forward is made of experts, and one whose layers are split over two processes.
#include <barrier>
#include <cmath>
#include <gtest/gtest.h>
#include <thread>

#include "methods/full.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

const std::string kCheckpoints = std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/";

TEST(ExpertLayers, AreADenseLayerWhereEveryRowTakesItAsItsExpert) {
  for (const std::string backend : {"reference", "cpu"}) {
    testing::LoadedModel model(kCheckpoints + "llada-tiny", testing::make_backend(backend));
    const Request r = testing::method_request(model, "fast-dllm", 13, 16, 8, 16);
    const std::vector<TokenId> dense = generate(model.transformer, {&r, 1})[0].tokens;
    testing::LoadedModel other(kCheckpoints + "dream-tiny", testing::make_backend(backend));
    ASSERT_EQ(other.config.dim, model.config.dim);
    const Buffer router = model.backend->allocate(2 * static_cast<size_t>(model.config.dim) * 4);
    const std::vector<float> zeros(2 * static_cast<size_t>(model.config.dim));
    model.backend->upload(zeros.data(), router.view(2, model.config.dim));
    for (size_t l = 0; l < model.weights.layers.size(); ++l) {
      // Both experts are equally probable, so the first is taken, with half a weight times two.
      ExpertWeights experts;
      experts.router = router.view(2, model.config.dim);
      experts.routing.scale = 2;
      auto& ffn = model.weights.layers[l].ffn;
      experts.experts.push_back(std::move(std::get<GatedWeights>(ffn)));
      experts.experts.push_back(std::move(
          std::get<GatedWeights>(other.weights.layers[l % other.weights.layers.size()].ffn)));
      ffn = std::move(experts);
    }
    EXPECT_EQ(generate(model.transformer, {&r, 1})[0].tokens, dense) << backend;
    for (auto& layer : model.weights.layers)
      std::get<ExpertWeights>(layer.ffn).routing.scale = 0.5F;
    EXPECT_NE(generate(model.transformer, {&r, 1})[0].tokens, dense) << backend;
  }
}

/// Two threads that add up what both have.
class Pair {
 public:
  class Half final : public Collective {
   public:
    Half(Pair& pair, size_t rank) : pair_(pair), rank_(rank) {}
    void sum(Backend& /*backend*/, Tensor part) override {
      pair_.parts_[rank_] = part;
      pair_.meet_.arrive_and_wait();
      std::vector<float> sum;
      for (int r = 0; r < part.rows; ++r) {
        for (int c = 0; c < part.cols; ++c) {
          sum.push_back(pair_.parts_[0].f32(r)[c] + pair_.parts_[1].f32(r)[c]);
        }
      }
      pair_.meet_.arrive_and_wait();
      for (int r = 0; r < part.rows; ++r) {
        std::copy_n(sum.data() + int64_t{r} * part.cols, part.cols, part.f32(r));
      }
    }

   private:
    Pair& pair_;
    size_t rank_;
  };

  Half first{*this, 0};
  Half second{*this, 1};

 private:
  std::barrier<> meet_{2};
  std::array<Tensor, 2> parts_;
};

/// Half of the heads and of the feed-forward of a checkpoint.
class HalfModel {
 public:
  HalfModel(const testing::LoadedModel& whole, int half, Collective& collective)
      : backend_(create_cpu_backend({.threads = 1})), config_(whole.config) {
    config_.n_heads /= 2;
    config_.n_kv_heads /= 2;
    config_.ffn_dim /= 2;
    weights_ = build_weights(config_, *backend_, [&](std::span<const TensorSpec> specs) {
      std::vector<HostMatrix> tensors;
      for (const TensorSpec& spec : specs) tensors.push_back(part(whole.checkpoint, spec, half));
      return tensors;
    });
    transformer_.emplace(config_, weights_, *backend_, &collective);
  }
  Transformer& transformer() { return *transformer_; }

 private:
  /// The half of a tensor that has the shape of `spec`; all of it where they are equal.
  HostMatrix part(const TensorDirectory& checkpoint, const TensorSpec& spec, int half) {
    const StoredTensor& stored = checkpoint.at(spec.name);
    const auto rows = static_cast<size_t>(spec.shape.front());
    const size_t cols = spec.shape.size() > 1 ? static_cast<size_t>(spec.shape.back()) : 1;
    const size_t all_cols = spec.shape.size() > 1 ? static_cast<size_t>(stored.shape.back()) : 1;
    std::vector<float> all(static_cast<size_t>(stored.elements()));
    to_f32(stored.bytes.data(), stored.element_type(), all.size(), all.data());
    const size_t first_row =
        static_cast<size_t>(stored.shape.front()) == rows ? 0 : static_cast<size_t>(half) * rows;
    const size_t first_col = all_cols == cols ? 0 : static_cast<size_t>(half) * cols;
    std::vector<float>& values = kept_.emplace_back();
    for (size_t r = first_row; r < first_row + rows; ++r) {
      const auto row = all.begin() + static_cast<std::ptrdiff_t>(r * all_cols + first_col);
      values.insert(values.end(), row, row + static_cast<std::ptrdiff_t>(cols));
    }
    const auto out = static_cast<int>(rows);
    return {values.data(), DType::f32, out, spec.shape.size() > 1 ? static_cast<int>(cols) : out};
  }

  std::unique_ptr<Backend> backend_;
  ModelConfig config_;
  std::vector<std::vector<float>> kept_;  // the embedding is read in place
  Weights weights_;
  std::optional<Transformer> transformer_;
};

/// What both halves give, computed at the same time.
template <typename Work>
auto on_both(const testing::LoadedModel& whole, const Work& work) {
  Pair pair;
  HalfModel first(whole, 0, pair.first);
  HalfModel second(whole, 1, pair.second);
  std::array<decltype(work(first.transformer())), 2> results;
  std::thread other([&] { results[1] = work(second.transformer()); });
  results[0] = work(first.transformer());
  other.join();
  return results;
}

TEST(Collective, TwoHalvesGiveTheTokensOfTheWhole) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    testing::LoadedModel whole(kCheckpoints + name, create_cpu_backend({.threads = 1}));
    // dllm-cache computes some rows of a layer only.
    for (const char* method : {"full", "fast-dllm:cache=dual",
                               "dllm-cache:prompt_interval=3,gen_interval=2,transfer=0"}) {
      const Request r = testing::method_request(whole, method, 13, 16, 8, 16);
      const std::vector<TokenId> expected = generate(whole.transformer, {&r, 1})[0].tokens;
      const auto halves = on_both(whole, [&](Transformer& half) {
        return generate(half, {&r, 1})[0].tokens;
      });
      EXPECT_EQ(halves[0], expected) << name << method;
      EXPECT_EQ(halves[1], expected) << name << method;
    }
  }
}

TEST(Collective, HiddenStatesDifferByRoundingOnly) {
  testing::LoadedModel whole(kCheckpoints + "llada-tiny", create_cpu_backend({.threads = 1}));
  std::vector<TokenId> tokens;
  for (int p = 0; p < 21; ++p) tokens.push_back((p * 37 + 11) % 400);
  const auto hidden = [&](Transformer& transformer) {
    Full method;
    std::vector<KvStore> stores(static_cast<size_t>(whole.config.n_layers));
    Step step;
    step.tokens = tokens;
    const Rows rows(step.all());
    SequencePass pass{step, method.plan_step(step), &method, &stores, rows};
    const Tensor out = transformer.forward({&pass, 1});
    return std::vector<float>(out.f32(), out.f32() + int64_t{out.rows} * out.cols);
  };
  const std::vector<float> expected = hidden(whole.transformer);
  const auto halves = on_both(whole, hidden);
  EXPECT_EQ(halves[0], halves[1]);
  float largest = 0;
  for (const float x : expected) largest = std::max(largest, std::abs(x));
  // A layer adds two sums, each cut into two that round apart by no more than a few eps of the
  // residual stream; what a layer does with them multiplies that by less than 16 here.
  const double bound = 2.0 * whole.config.n_layers * 4 * 6e-8 * 16 * static_cast<double>(largest);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(halves[0][i], expected[i], bound) << i;
}

}  // namespace
}  // namespace unmask
