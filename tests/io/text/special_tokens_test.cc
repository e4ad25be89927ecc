// Tokens and roles from the files beside tokenizer.json, and what surrounds a prompt.
#include "io/text/special_tokens.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::TempDir;
using Ids = std::vector<TokenId>;

json added(TokenId id, const char* text) {
  return {{"id", id}, {"content", text}, {"special", true}};
}

/// A tokenizer.json of bytes, "<s>" (256) and "</s>" (257).
json byte_tokenizer() {
  json vocab = json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[byte_to_alphabet(static_cast<uint8_t>(byte))] = byte;
  return {{"added_tokens", {added(256, "<s>"), added(257, "</s>")}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", json::array()}}}};
}

class SpecialTokens : public ::testing::Test {
 protected:
  SpecialTokens() { dir_.write("tokenizer.json", byte_tokenizer().dump()); }
  Tokenizer load() { return Tokenizer::load(dir_.path()); }
  std::string reason() {
    try {
      load();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  TempDir dir_;
};

TEST_F(SpecialTokens, TheConfigurationAddsWhatTokenizerJsonLacks) {
  const json flags{{"content", "<s>"}, {"lstrip", true}};  // known already, so not looked at
  const json table{{"256", flags}, {"260", {{"content", "<|new|>"}, {"special", true}}}};
  dir_.write("tokenizer_config.json", json{{"added_tokens_decoder", table}}.dump());
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.encode("<s>a<|new|>"), (Ids{256, 'a', 260}));
  EXPECT_TRUE(tokenizer.is_special(260));
}

TEST_F(SpecialTokens, AddedTokensJsonIsReadToo) {
  dir_.write("added_tokens.json", json{{"<x>", 300}, {"<y>", 301}, {"<s>", 256}}.dump());
  dir_.write("special_tokens_map.json", json{{"additional_special_tokens", {"<y>"}}}.dump());
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.encode("<x><y>"), (Ids{300, 301}));
  EXPECT_FALSE(tokenizer.is_special(300));
  EXPECT_TRUE(tokenizer.is_special(301));
}

TEST_F(SpecialTokens, ATokenThatOnlyARoleNamesGetsTheNextId) {
  dir_.write(
      "special_tokens_map.json",
      json{{"mask_token", {{"content", "<m>"}, {"lstrip", true}}}, {"eos_token", "</s>"}}.dump());
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.token_of_role("mask_token"), 258);
  EXPECT_EQ(tokenizer.token_of_role("eos_token"), 257);
  EXPECT_EQ(tokenizer.token_of_role("pad_token"), std::nullopt);
  EXPECT_EQ(tokenizer.encode("<m>"), Ids{258});
}

TEST_F(SpecialTokens, TheVocabularyKnowsTheIdBetter) {
  json tokenizer = byte_tokenizer();
  tokenizer["model"]["vocab"]["<m>"] = 270;
  dir_.write("tokenizer.json", tokenizer.dump());
  dir_.write("tokenizer_config.json", json{{"mask_token", "<m>"}, {"pad_token", nullptr}}.dump());
  EXPECT_EQ(load().token_of_role("mask_token"), 270);
  EXPECT_EQ(load().encode("<m>"), Ids{270});
}

TEST_F(SpecialTokens, ClashesAndBrokenFilesAreNamed) {
  dir_.write("tokenizer_config.json",
             json{{"added_tokens_decoder", {{"256", {{"content", "<other>"}}}}}}.dump());
  EXPECT_THAT(reason(), HasSubstr("share the id 256"));
  dir_.write("tokenizer_config.json", json{{"added_tokens_decoder", 3}}.dump());
  EXPECT_THAT(reason(), HasSubstr("tokenizer_config.json"));
  dir_.write("tokenizer_config.json", "{");
  EXPECT_THAT(reason(),
              ::testing::AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("truncated")));
}

/// A TemplateProcessing that puts <s> before and, if wanted, </s> behind.
json template_step(bool with_end) {
  json single{{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}};
  if (with_end) single.push_back({{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}});
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"special_tokens",
           {{"<s>", {{"id", "<s>"}, {"ids", {256}}, {"tokens", {"<s>"}}}},
            {"</s>", {{"id", "</s>"}, {"ids", {257}}, {"tokens", {"</s>"}}}}}}};
}

class PostProcessor : public SpecialTokens {
 protected:
  Ids prompt_with(const json& step, std::string_view text = "hi") {
    json tokenizer = byte_tokenizer();
    tokenizer["post_processor"] = step;
    dir_.write("tokenizer.json", tokenizer.dump());
    return load().encode_prompt(text);
  }
};

TEST_F(PostProcessor, PutsTokensAroundAPrompt) {
  const json byte_level{{"type", "ByteLevel"}, {"trim_offsets", false}};
  EXPECT_EQ(prompt_with(nullptr), (Ids{'h', 'i'}));
  EXPECT_EQ(prompt_with(byte_level), (Ids{'h', 'i'}));
  EXPECT_EQ(prompt_with(template_step(false)), (Ids{256, 'h', 'i'}));
  EXPECT_EQ(prompt_with(template_step(true)), (Ids{256, 'h', 'i', 257}));
  EXPECT_EQ(prompt_with({{"type", "Sequence"}, {"processors", {byte_level, template_step(false)}}}),
            (Ids{256, 'h', 'i'}));
  for (const char* type : {"BertProcessing", "RobertaProcessing"}) {
    EXPECT_EQ(prompt_with({{"type", type}, {"cls", {"<s>", 256}}, {"sep", {"</s>", 257}}}),
              (Ids{256, 'h', 'i', 257}));
  }
}

TEST_F(PostProcessor, DoesNotRepeatWhatTheTextBeginsWith) {
  EXPECT_EQ(prompt_with(template_step(false), "<s>hi"), (Ids{256, 'h', 'i'}));
  EXPECT_EQ(load().encode("hi"), (Ids{'h', 'i'})) << "pieces of a text get nothing";
  EXPECT_EQ(load().encode_beginning("hi"), (Ids{256, 'h', 'i'}));
}

TEST_F(PostProcessor, WhatIsNotSupportedIsNamed) {
  const auto reason_with = [&](const json& step) -> std::string {
    try {
      prompt_with(step);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(reason_with({{"type", "Magic"}}), HasSubstr("'Magic' is not supported"));
  json unknown = template_step(false);
  unknown["special_tokens"]["<s>"]["ids"] = {999};
  EXPECT_THAT(reason_with(unknown), HasSubstr("999"));
  unknown["special_tokens"].erase("<s>");
  EXPECT_THAT(reason_with(unknown), HasSubstr("'<s>'"));
  json without_text = template_step(false);
  without_text["single"].erase(1);
  EXPECT_THAT(reason_with(without_text), HasSubstr("leaves the text out"));
  EXPECT_THAT(reason_with({{"type", "TemplateProcessing"}}), HasSubstr("'single'"));
}

TEST_F(PostProcessor, ModelsNeedNoType) {
  json tokenizer = byte_tokenizer();
  tokenizer["model"].erase("type");
  dir_.write("tokenizer.json", tokenizer.dump());
  EXPECT_EQ(load().encode("a"), Ids{'a'});
  tokenizer["model"].erase("merges");
  dir_.write("tokenizer.json", tokenizer.dump());
  EXPECT_THAT(reason(), HasSubstr("'type' is missing"));
}

}  // namespace
}  // namespace unmask
