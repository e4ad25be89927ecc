// The writer of random checkpoints: what it writes loads, and depends on seed and names alone.
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/model_shapes.h"
#include "bench/random_weights.h"
#include "checkpoint_writer.h"
#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "io/model_config.h"
#include "support/temp_dir.h"

namespace unmask::tools {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

std::vector<float> values_of(const Checkpoint& checkpoint, const std::string& name) {
  const StoredTensor& tensor = checkpoint.at(name);
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  to_f32(tensor.bytes.data(), tensor.element_type(), values.size(), values.data());
  return values;
}

/// Writes a directory of the shape and returns its configuration.
ModelConfig write(const TempDir& dir, const std::string& shape, const RandomWeights& weights,
                  int shards) {
  write_text(dir.path() / "config.json", model_shape(shape).config.dump());
  write_text(dir.path() / "generation_config.json", model_shape(shape).generation.dump());
  ModelConfig config = load_model_config(dir.path());
  write_weights(dir.path(), tensor_specs(config), weights, shards);
  return config;
}

TEST(RandomCheckpoint, LoadsInEveryShapeAndNumberOfShards) {
  for (const char* shape : {"tiny-llada", "tiny-dream"}) {
    for (const int shards : {1, 3, 39}) {
      const TempDir dir;
      const ModelConfig config = write(dir, shape, RandomWeights(1, DType::bf16), shards);
      const Checkpoint checkpoint(dir.path());
      check_checkpoint(checkpoint, config);
      EXPECT_EQ(checkpoint.total_bytes(), checkpoint_bytes(tensor_specs(config), DType::bf16));
    }
  }
}

TEST(RandomCheckpoint, PublishedShapesDescribeThePublishedModels) {
  const auto parameters = [](const std::string& shape) {
    const TempDir dir;
    dir.write("config.json", model_shape(shape).config.dump());
    return checkpoint_bytes(tensor_specs(load_model_config(dir.path())), DType::bf16) / 2;
  };
  EXPECT_EQ(parameters("llada-8b"), 8015581184);
  EXPECT_EQ(parameters("dream-7b"), 7615616512);
  EXPECT_THROW(model_shape("llada-9b"), Error);
}

TEST(RandomCheckpoint, ValuesDependOnSeedAndNameAloneNotOnShardsOrType) {
  const TempDir one, three, other;
  write(one, "tiny-dream", RandomWeights(7, DType::f32), 1);
  write(three, "tiny-dream", RandomWeights(7, DType::bf16), 3);
  write(other, "tiny-dream", RandomWeights(8, DType::bf16), 1);
  const std::string name = "model.layers.3.mlp.up_proj.weight";
  const auto f32 = values_of(Checkpoint(one.path()), name);
  const auto bf16 = values_of(Checkpoint(three.path()), name);
  ASSERT_EQ(f32.size(), bf16.size());
  for (size_t i = 0; i < f32.size(); ++i) {
    ASSERT_EQ(bf16_to_f32(f32_to_bf16(f32[i])), bf16[i]) << i;
  }
  EXPECT_NE(bf16, values_of(Checkpoint(other.path()), name));
  EXPECT_NE(bf16, values_of(Checkpoint(three.path()), "model.layers.2.mlp.up_proj.weight"));
}

TEST(RandomCheckpoint, MatricesAreCentredAndNormsAreAboutOne) {
  const TempDir dir;
  write(dir, "tiny-llada", RandomWeights(3, DType::f32), 1);
  const Checkpoint checkpoint(dir.path());
  const auto moments = [&](const std::string& name) {
    const std::vector<float> values = values_of(checkpoint, name);
    double sum = 0;
    double squares = 0;
    for (const float value : values) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const double mean = sum / static_cast<double>(values.size());
    return std::pair(mean, std::sqrt(squares / static_cast<double>(values.size()) - mean * mean));
  };
  const auto [mean, deviation] = moments("model.transformer.wte.weight");  // 65536 values
  EXPECT_NEAR(mean, 0, 4e-4);
  EXPECT_NEAR(deviation, 0.02, 4e-4);
  EXPECT_NEAR(moments("model.transformer.ln_f.weight").first, 1, 0.01);
}

TEST(RandomCheckpoint, ReportsWhatItCannotWrite) {
  const TempDir dir;
  const auto reason = [&](int shards) -> std::string {
    try {
      write(dir, "tiny-llada", RandomWeights(1, DType::bf16), shards);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(reason(40), HasSubstr("40 shards for 39 tensors"));
  EXPECT_THAT(reason(1), HasSubstr("File exists"));
  EXPECT_THROW(write_text("/dev/full/x", "x"), Error);
  EXPECT_THROW(RandomWeights(1, DType::f16), Error);
}

}  // namespace
}  // namespace unmask::tools
