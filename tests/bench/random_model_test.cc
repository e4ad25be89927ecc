#include "bench/random_model.h"

#include <gtest/gtest.h>

#include "generate/engine.h"

namespace unmask {
namespace {

TEST(ParseShape, KnowsPublishedSizesAndChanges) {
  const ModelConfig llada = parse_shape("llada-8b");
  EXPECT_EQ(llada.n_layers, 32);
  EXPECT_EQ(llada.head_dim, 128);
  EXPECT_EQ(llada.vocab_size, 126464);
  const ModelConfig dream = parse_shape("dream-7b,layers=2,vocab=1000");
  EXPECT_EQ(dream.n_layers, 2);
  EXPECT_EQ(dream.n_kv_heads, 4);
  EXPECT_EQ(dream.vocab_size, 1000);
  EXPECT_LT(dream.mask_id, 1000);
  const ModelConfig own =
      parse_shape("llada-8b,d=256,heads=4,kv_heads=2,ffn=512,layers=3,vocab=99");
  EXPECT_EQ(own.dim, 256);
  EXPECT_EQ(own.head_dim, 64);
  EXPECT_EQ(own.ffn_dim, 512);
  const ModelConfig nameless = parse_shape("layers=3,vocab=99");
  EXPECT_EQ(nameless.n_layers, 3);
  EXPECT_EQ(nameless.dim, llada.dim);
}

TEST(ParseShape, DemoIsTheEmbeddedModel) {
  const ModelConfig shape = parse_shape("demo");
  const ModelConfig model = load_model_config(UNMASK_DEMO_DIRECTORY);
  EXPECT_EQ(shape.n_layers, model.n_layers);
  EXPECT_EQ(shape.dim, model.dim);
  EXPECT_EQ(shape.n_heads, model.n_heads);
  EXPECT_EQ(shape.n_kv_heads, model.n_kv_heads);
  EXPECT_EQ(shape.head_dim, model.head_dim);
  EXPECT_EQ(shape.ffn_dim, model.ffn_dim);
  EXPECT_EQ(shape.vocab_size, model.vocab_size);
  EXPECT_EQ(shape.mask_id, model.mask_id);
}

TEST(ParseShape, SaysWhatIsWrong) {
  for (const char* wrong :
       {"", "llada", "llada-8b,", "llada-8b,layers", "llada-8b,layers=0", "llada-8b,layers=2x",
        "layers=x", "=", "llada-8b,width=3", "llada-8b,heads=7"}) {
    EXPECT_THROW(parse_shape(wrong), Error) << wrong;
  }
}

TEST(RandomModel, TellsHowFarItIsAndCanBeEnded) {
  int64_t last = 0;
  int64_t all = 0;
  const auto follow = [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    last = done;
    all = total;
  };
  const RandomModel model(parse_shape("tiny-llada"), create_cpu_backend({.threads = 1}), follow);
  EXPECT_GT(all, 0);
  EXPECT_EQ(last, all);
  const auto stop = [](int64_t, int64_t) { fail("enough"); };
  EXPECT_THROW(RandomModel(parse_shape("tiny-llada"), create_cpu_backend({.threads = 1}), stop),
               Error);
}

TEST(RandomModel, Generates) {
  for (const char* shape : {"tiny-llada", "tiny-dream"}) {
    RandomModel model(parse_shape(shape), create_cpu_backend({.threads = 2}));
    Request request = append_masks({1, 2, 3}, 8, model.config().mask_id);
    if (model.config().family == Family::dream) request.sampler.algorithm = Algorithm::entropy;
    const Result result = generate(model.transformer(), std::span(&request, 1))[0];
    EXPECT_EQ(result.masks_left, 0) << shape;
  }
}

}  // namespace
}  // namespace unmask
