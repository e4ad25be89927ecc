#include "session/packed_export.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "core/error.h"
#include "io/containers/packed_file.h"
#include "io/containers/packed_writer.h"
#include "methods/full.h"
#include "session/find_model.h"
#include "session/model.h"
#include "support/gguf_model.h"
#include "support/model_fixture.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class PackedExporting : public ::testing::Test {
 protected:
  /// `model` packed, at its path.
  fs::path packed(const fs::path& model, const PackedExport& options) const {
    const ModelConfig config = load_model_config(model, options.overrides);
    const auto checkpoint = open_checkpoint(model, config);
    const fs::path path = dir_.path() / "model.unmask";
    std::ofstream out(path, std::ios::binary);
    const int64_t bytes = write_packed(*checkpoint, config, options, out);
    EXPECT_EQ(bytes, out.tellp());
    return path;
  }

  /// Logits of both are the same bits.
  void expect_equal(const fs::path& model, const fs::path& packed, WeightType weights,
                    const ModelOverrides& overrides = {}) const {
    testing::LoadedModel plain(model, create_cpu_backend({.threads = 2, .weights = weights}),
                               overrides);
    testing::LoadedModel mapped(packed, create_cpu_backend({.threads = 2, .weights = weights}));
    const std::vector<TokenId> ids{1, 5, 9, 2, 7, 3, 8, 4, 6, 11, 12, 10, 3, 3, 2, 1};
    Full first, second;
    EXPECT_EQ(testing::all_logits(mapped, ids, second), testing::all_logits(plain, ids, first));
  }
  static std::string reason(const std::function<void()>& act) {
    try {
      act();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  testing::TempDir dir_;
};

/// Families with all that loading does to tensors: taken apart, ordered, tied, experts, biases.
TEST_F(PackedExporting, EveryFamilyComputesTheSameBits) {
  for (const std::string name : {"llada-tiny", "dream-tiny", "llada2-tiny", "lladamoe-tiny",
                                 "sdar-moe-tiny", "sdar-tied", "fastdllm2-tiny"}) {
    const fs::path model = fs::path(UNMASK_GOLDEN_CHECKPOINTS) / name;
    for (const WeightType type : {WeightType::int8, WeightType::int4, WeightType::bf16}) {
      SCOPED_TRACE(fmt::format("{} {}", name, weight_type_name(type)));
      // Not every tiny model has a mask token; the packed file keeps what stands in for it.
      const ModelOverrides overrides{.mask_id = 13};
      const fs::path file = packed(model, {.weights = type, .overrides = overrides, .threads = 2});
      EXPECT_NO_THROW(PackedFile(file).verify());
      expect_equal(model, file, type, overrides);
    }
  }
}

TEST_F(PackedExporting, AGgufFileKeepsItsBlocksAndItsWords) {
  for (const auto& type : testing::kBlockTypes) {
    testing::GgufRecipe recipe;
    recipe.tied = type.format == BlockFormat::q5_k;
    const auto model = dir_.write("model.gguf", testing::random_model(recipe, type, 11).blocks);
    SCOPED_TRACE(block_traits(type.format).name);
    const fs::path file = packed(model, {.weights = WeightType::stored});
    expect_equal(model, file, WeightType::stored);
    const ModelFiles before = ModelFiles::open(model);
    const ModelFiles after = ModelFiles::open(file);
    EXPECT_EQ(after.config().tied_head, before.config().tied_head);
    EXPECT_EQ(after.config().mask_id, before.config().mask_id);
    EXPECT_EQ(after.tokenizer().encode("the thing"), before.tokenizer().encode("the thing"));
    const std::vector<ChatMessage> hello{{"user", "hello"}};
    EXPECT_EQ(after.chat_template().render(hello).text(),
              before.chat_template().render(hello).text());
  }
}

/// A device that has but one type, or a user who asks for another, gets the rounded weights.
TEST_F(PackedExporting, OtherTypesArePackedAnew) {
  const fs::path model = fs::path(UNMASK_GOLDEN_CHECKPOINTS) / "dream-tiny-bf16-sharded";
  for (const std::string backend : {"cpu", "reference"}) {
    testing::LoadedModel plain(model, testing::make_backend(backend));
    testing::LoadedModel mapped(packed(model, {.weights = WeightType::bf16}),
                                testing::make_backend(backend));
    const std::vector<TokenId> ids{1, 5, 9, 2, 7, 3, 8, 4};
    Full first, second;
    EXPECT_EQ(testing::all_logits(mapped, ids, second), testing::all_logits(plain, ids, first));
  }
}

TEST_F(PackedExporting, OneFileIsAModel) {
  const fs::path demo = UNMASK_DEMO_DIRECTORY;
  int64_t last = 0;
  const fs::path file = packed(demo, {.progress = [&](int64_t done, int64_t total) {
                                 EXPECT_GT(done, last);
                                 EXPECT_LE(done, total);
                                 last = done;
                               }});
  EXPECT_GT(last, 0);
  EXPECT_EQ(find_model(file.string(), {}), file);
  EXPECT_EQ(model_name(file), "model");
  const ModelFiles before = ModelFiles::open(demo);
  Model model(file);
  EXPECT_EQ(model.weight_type(), WeightType::int8);
  EXPECT_EQ(model.files().stop_ids(), before.stop_ids());
  EXPECT_EQ(model.tokenizer().encode("Where is Tom?"), before.tokenizer().encode("Where is Tom?"));
  EXPECT_THAT(reason([&] { packed(file, {}); }), HasSubstr("is packed already"));
}

TEST_F(PackedExporting, OverridesStayWithTheFile) {
  const fs::path demo = UNMASK_DEMO_DIRECTORY;
  const fs::path file =
      packed(demo, {.overrides = {.mask_id = 7, .block = 16, .shift_logits = true}});
  const ModelConfig kept = load_model_config(file);
  EXPECT_EQ(kept.mask_id, 7);
  EXPECT_EQ(kept.visibility.block, 16);
  EXPECT_EQ(kept.logit_shift, 1);
  EXPECT_EQ(load_model_config(file, {.mask_id = 8}).mask_id, 8);
}

TEST_F(PackedExporting, PanelsOfAnotherShapeAreRefused) {
  const fs::path model = fs::path(UNMASK_GOLDEN_CHECKPOINTS) / "llada-tiny";
  const fs::path file = packed(model, {});
  ModelConfig config = load_model_config(file);
  const auto checkpoint = open_checkpoint(file, config);
  config.ffn_dim *= 2;
  const auto backend = create_cpu_backend({.threads = 1, .weights = WeightType::int8});
  EXPECT_THAT(reason([&] { load_weights(*checkpoint, config, *backend); }), HasSubstr("shape"));
}

/// What stands for the head is not among the tensors that a configuration asks for.
TEST_F(PackedExporting, AHeadOfAnotherShapeIsRefused) {
  const fs::path model = fs::path(UNMASK_GOLDEN_CHECKPOINTS) / "sdar-tied";
  const PackedExport options{.overrides = {.mask_id = 13}};
  const PackedFile right(packed(model, options));
  const fs::path changed = dir_.path() / "changed.unmask";
  std::ofstream out(changed, std::ios::binary);
  PackedWriter writer("int8", "", out);
  for (const auto& [name, text] : right.description().files()) writer.add_file(name, text);
  for (const std::string_view name : right.names()) {
    StoredTensor tensor = right.at(name);
    if (name == kTiedHead) {
      tensor.shape[0] = 64;
      tensor.bytes = tensor.bytes.first(static_cast<size_t>(tensor.shape[1] + 4) * 64);
    }
    writer.add_tensor(std::string(name), tensor);
  }
  writer.finish();
  out.close();
  const ModelConfig config = load_model_config(changed);
  const auto checkpoint = open_checkpoint(changed, config);
  const auto backend = create_cpu_backend({.threads = 1, .weights = WeightType::int8});
  EXPECT_THAT(reason([&] { load_weights(*checkpoint, config, *backend); }),
              HasSubstr("tied_head is 64 x"));
}

TEST_F(PackedExporting, StopsWhenTold) {
  std::atomic<bool> stop = false;
  EXPECT_THROW(packed(UNMASK_DEMO_DIRECTORY, {.progress = [&](int64_t, int64_t) { stop = true; },
                                              .stop = StopToken(stop)}),
               Stopped);
}

}  // namespace
}  // namespace unmask
