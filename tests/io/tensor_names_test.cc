#include "io/tensor_names.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

using Names = std::vector<std::string>;

const Names kTrunkAndHead{"model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight",
                          "lm_head.weight"};

/// The stored name that stands for each of the expected ones; empty when they are not found.
Names match(const Names& expected, const Names& stored) {
  const std::vector<std::string_view> views(stored.begin(), stored.end());
  const auto found = match_tensor_names(expected, views);
  Names names;
  if (!found) return names;
  for (const std::string& name : expected) names.push_back(found->at(name));
  return names;
}

/// `prefix` before every name.
Names with_prefix(const std::string& prefix, Names names) {
  for (std::string& name : names) name = prefix + name;
  return names;
}

TEST(TensorNames, APrefixOfAllNamesIsDropped) {
  for (const char* prefix : {"", "_orig_mod.", "module.", "model.", "base_model.model.",
                             "module._orig_mod.", "student.", "a.b.c.", "_fsdp_wrapped_module."}) {
    const Names stored = with_prefix(prefix, kTrunkAndHead);
    EXPECT_EQ(match(kTrunkAndHead, stored), stored) << prefix;
  }
}

TEST(TensorNames, WrappersMayStandInside) {
  const Names stored{"model._orig_mod.embed_tokens.weight",
                     "model.layers.0._checkpoint_wrapped_module.mlp.up_proj.weight",
                     "lm_head.weight"};
  EXPECT_EQ(match(kTrunkAndHead, stored), stored);
}

TEST(TensorNames, ATrunkSavedAloneLacksModel) {
  const Names llada{"model.transformer.wte.weight", "model.transformer.ff_out.weight",
                    "model.transformer.blocks.0.ff_out.weight"};
  const Names stored{"transformer.wte.weight", "transformer.ff_out.weight",
                     "transformer.blocks.0.ff_out.weight"};
  EXPECT_EQ(match(llada, stored), stored);
  EXPECT_EQ(match(kTrunkAndHead, {"embed_tokens.weight", "layers.0.mlp.up_proj.weight"}), Names());
}

TEST(TensorNames, MissingOrAmbiguousOnesAreNotGuessed) {
  Names stored = with_prefix("module.", kTrunkAndHead);
  stored.pop_back();
  EXPECT_EQ(match(kTrunkAndHead, stored), Names());
  Names two = with_prefix("student.", kTrunkAndHead);
  for (const std::string& name : with_prefix("teacher.", kTrunkAndHead)) two.push_back(name);
  EXPECT_EQ(match(kTrunkAndHead, two), Names());
  // Half of the names from one, half from the other.
  EXPECT_EQ(match(kTrunkAndHead, {"a.model.embed_tokens.weight",
                                  "b.model.layers.0.mlp.up_proj.weight", "a.lm_head.weight"}),
            Names());
  EXPECT_EQ(match(kTrunkAndHead, {}), Names());
}

TEST(TensorNames, PartsAreCutAndJoined) {
  EXPECT_EQ(split_tensor_name("a.b.c"), (Names{"a", "b", "c"}));
  EXPECT_EQ(join_tensor_name(Names{"a", "b"}), "a.b");
  EXPECT_EQ(without_wrappers("module._orig_mod.a.weight"), "a.weight");
  EXPECT_EQ(without_model_prefix("model.model.a"), "a");
}

}  // namespace
}  // namespace unmask
