// The two file layouts of tokenizers: what is read, what is refused.
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer.h"
#include "io/text/tokenizer_spec.h"
#include "support/fuzz.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Ids = std::vector<TokenId>;

json byte_vocab() {
  json vocab = json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[byte_to_alphabet(static_cast<uint8_t>(byte))] = byte;
  vocab["th"] = 256;
  vocab["the"] = 257;
  vocab["#t"] = 258;
  return vocab;
}

json added_plainly(TokenId id, const char* text) {
  return {{"id", id},        {"content", text}, {"special", true},    {"single_word", false},
          {"lstrip", false}, {"rstrip", false}, {"normalized", false}};
}

json make_tokenizer() {
  return {{"added_tokens", {added_plainly(300, "<|end|>")}},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer",
           {{"type", "Sequence"},
            {"pretokenizers",
             {{{"type", "Split"},
               {"pattern", {{"Regex", R"(\s+)"}}},
               {"behavior", "Isolated"},
               {"invert", false}},
              {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"vocab", byte_vocab()},
            {"merges", {"#version: 0.2", "t h", "th e", "# t"}}}}};
}

std::string load_error(const testing::TempDir& dir) {
  try {
    Tokenizer::load(dir.path());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// What loading says after `change` was applied to a good tokenizer.json.
std::string error_after(const std::function<void(json&)>& change) {
  json tokenizer = make_tokenizer();
  change(tokenizer);
  const testing::TempDir dir;
  dir.write("tokenizer.json", tokenizer.dump());
  return load_error(dir);
}

TEST(TokenizerJson, LoadsBothNotationsOfMerges) {
  json tokenizer = make_tokenizer();
  const testing::TempDir dir;
  dir.write("tokenizer.json", tokenizer.dump());
  EXPECT_EQ(Tokenizer::load(dir.path()).encode("the#t<|end|>"), (Ids{257, 258, 300}));
  tokenizer["model"]["merges"] = json::array({json::array({"t", "h"}), json::array({"th", "e"})});
  dir.write("tokenizer.json", tokenizer.dump());
  EXPECT_EQ(Tokenizer::load(dir.path()).encode("the#t"), (Ids{257, '#', 't'}));
}

TEST(TokenizerJson, IsPreferredToVocabJson) {
  const testing::TempDir dir;
  dir.write("tokenizer.json", make_tokenizer().dump());
  dir.write("vocab.json", "broken");
  dir.write("merges.txt", "");
  EXPECT_EQ(load_error(dir), "");
}

TEST(TokenizerJson, NormalizersMayBeAbsentOrNested) {
  EXPECT_EQ(error_after([](json& t) { t["normalizer"] = nullptr; }), "");
  EXPECT_EQ(error_after([](json& t) { t.erase("normalizer"); }), "");
  EXPECT_EQ(error_after([](json& t) {
              t["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
            }),
            "");
  EXPECT_THAT(error_after([](json& t) {
                t["normalizer"] = {{"type", "Sequence"},
                                   {"normalizers", {{{"type", "NFC"}}, {{"type", "Lowercase"}}}}};
              }),
              HasSubstr("normalizer 'Lowercase'"));
}

TEST(TokenizerJson, AByteLevelStepMayCutByItself) {
  json tokenizer = make_tokenizer();
  tokenizer["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  const testing::TempDir dir;
  dir.write("tokenizer.json", tokenizer.dump());
  EXPECT_EQ(Tokenizer::load(dir.path()).encode("!the"), (Ids{'!', 257}));
  EXPECT_EQ(Tokenizer::load(dir.path()).encode("it's"), (Ids{'i', 't', '\'', 's'}));
}

struct Refusal {
  const char* pointer;  // RFC 6901
  json value;
  const char* message;
};

TEST(TokenizerJson, NamesTheKeyItDoesNotSupport) {
  const std::vector<Refusal> refusals = {
      {"/model/type", "WordPiece", "model 'WordPiece'"},
      {"/model/type", nullptr, "'type' is missing"},
      {"/model/dropout", 0.1, "'dropout'"},
      {"/model/byte_fallback", true, "'byte_fallback'"},
      {"/model/ignore_merges", 1, "'ignore_merges'"},
      {"/model/continuing_subword_prefix", "##", "'continuing_subword_prefix'"},
      {"/model/end_of_word_suffix", "</w>", "'end_of_word_suffix'"},
      {"/model/vocab", json::array(), "expected an object"},
      {"/model/vocab/th", -1, "token id -1"},
      {"/model/vocab/th", 1.5, "token id 1.5"},
      {"/model/vocab/th", 1 << 24, "token id 16777216"},
      {"/model/vocab/th", 257, "share the id 257"},
      {"/model/merges", "t h", "'merges' must be a list"},
      {"/model/merges/1", "t", "expected two parts"},
      {"/model/merges/1", "t h e", "expected two parts"},
      {"/model/merges/1", " t", "expected two parts"},
      {"/model/merges/1", {"t", "h", "e"}, "expected \"a b\""},
      {"/model/merges/1", {"t", 1}, "expected \"a b\""},
      {"/model/merges/1", "x y", "'xy' of the merges"},
      {"/decoder", nullptr, "'decoder' is missing"},
      {"/decoder/type", "WordPiece", "decoder 'WordPiece'"},
      {"/pre_tokenizer", nullptr, "'pre_tokenizer' is missing"},
      {"/pre_tokenizer", {{"type", "Whitespace"}}, "pre_tokenizer 'Whitespace'"},
      {"/pre_tokenizer/pretokenizers", json::array(), "no ByteLevel"},
      {"/pre_tokenizer/pretokenizers/0",
       {{"type", "ByteLevel"}, {"add_prefix_space", false}},
       "after ByteLevel"},
      {"/pre_tokenizer/pretokenizers/0/behavior", "Removed", "'behavior'"},
      {"/pre_tokenizer/pretokenizers/0/invert", true, "'invert'"},
      {"/pre_tokenizer/pretokenizers/0/pattern", {{"String", " "}}, "'Regex'"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "(", "pattern '('"},
      {"/pre_tokenizer/pretokenizers/1/add_prefix_space", true, "'add_prefix_space'"},
      {"/added_tokens", 1, "'added_tokens'"},
      {"/added_tokens/0", 1, "'added_tokens'"},
      {"/added_tokens/0/id", "300", "token id"},
      {"/added_tokens/0/id", 1 << 24, "token id"},
      {"/added_tokens/0/content", 1, "'content'"},
      {"/added_tokens/0/single_word", true, "'single_word'"},
      {"/added_tokens/0/lstrip", true, "'lstrip'"},
      {"/added_tokens/0/rstrip", true, "'rstrip'"},
      {"/added_tokens/0/special", "yes", "'special'"},
  };
  EXPECT_EQ(error_after([](json&) {}), "");
  for (const Refusal& refusal : refusals) {
    const json::json_pointer place(refusal.pointer);
    const std::string error = error_after([&](json& t) { t[place] = refusal.value; });
    EXPECT_THAT(error,
                AllOf(HasSubstr(refusal.message), HasSubstr("[tokenizer]"), Not(HasSubstr("\n"))))
        << refusal.pointer << " = " << refusal.value;
  }
}

TEST(TokenizerJson, RefusesBrokenFiles) {
  const testing::TempDir dir;
  EXPECT_THAT(load_error(dir), HasSubstr("found neither tokenizer.json"));
  for (const char* content : {"", "[]", "{}", "{", R"({"model": 1, "model": 2})"}) {
    dir.write("tokenizer.json", content);
    EXPECT_THAT(load_error(dir), HasSubstr("[tokenizer]")) << content;
  }
}

TEST(TokenizerJson, DamagedFilesLoadOrAreRefused) {
  const std::string valid = make_tokenizer().dump();
  const auto read = [](const std::filesystem::path& file) {
    Tokenizer::build(read_tokenizer_json(file)).encode("the #t\xFF<|end|>");
  };
  const testing::FuzzCounts counts = testing::fuzz(valid, valid.size(), /*flips=*/3000, read);
  EXPECT_GT(counts.loaded, 0) << "some damage is only another text";
  EXPECT_GT(counts.refused, 3000);
}

/// A folder as Dream ships it.
class VocabAndMerges : public ::testing::Test {
 protected:
  VocabAndMerges() {
    dir_.write("vocab.json", byte_vocab().dump());
    dir_.write("merges.txt", "#version: 0.2\nt h\r\nth e\n\n# t");
  }

  void write_config(const json& config) { dir_.write("tokenizer_config.json", config.dump()); }

  testing::TempDir dir_;
};

TEST_F(VocabAndMerges, ReadsFlagsFromTheConfig) {
  json entry = added_plainly(0, "<|end|>");
  entry.erase("id");
  write_config({{"tokenizer_class", "DreamTokenizer"}, {"added_tokens_decoder", {{"300", entry}}}});
  const Tokenizer tokenizer = Tokenizer::load(dir_.path());
  EXPECT_EQ(tokenizer.encode("the#t<|end|>"), (Ids{257, 258, 300}));
  EXPECT_EQ(tokenizer.encode("e\xCC\x81"), (Ids{0xC3, 0xA9})) << "NFC";
  EXPECT_TRUE(tokenizer.is_special(300));
}

TEST_F(VocabAndMerges, AddedTokensJsonNeedsTheMapForSpecialOnes) {
  dir_.write("added_tokens.json", R"({"<|end|>": 300, "<tool>": 301, "<|x|>": 302})");
  EXPECT_FALSE(Tokenizer::load(dir_.path()).is_special(300));
  dir_.write("special_tokens_map.json",
             R"({"eos_token": {"content": "<|end|>"}, "additional_special_tokens": ["<|x|>"]})");
  const Tokenizer tokenizer = Tokenizer::load(dir_.path());
  EXPECT_TRUE(tokenizer.is_special(300));
  EXPECT_FALSE(tokenizer.is_special(301));
  EXPECT_TRUE(tokenizer.is_special(302));
}

TEST_F(VocabAndMerges, RefusesOtherTokenizerClasses) {
  for (const json& config :
       {json{{"tokenizer_class", "GPT2Tokenizer"}}, json{{"tokenizer_class", 3}},
        json{{"add_prefix_space", true}}, json{{"added_tokens_decoder", json::array()}},
        json{{"added_tokens_decoder", {{"x", {{"content", "a"}}}}}},
        json{{"added_tokens_decoder", {{"3 ", {{"content", "a"}}}}}},
        json{{"added_tokens_decoder", {{"300", {{"text", "a"}}}}}},
        json{{"added_tokens_decoder", {{"99999999", {{"content", "a"}}}}}}}) {
    write_config(config);
    EXPECT_THAT(load_error(dir_), HasSubstr("[tokenizer]")) << config;
  }
}

TEST_F(VocabAndMerges, RefusesBrokenMerges) {
  for (const char* merges : {"t", "t h e", "t h\n#version: 0.2", "x y"}) {
    dir_.write("merges.txt", merges);
    EXPECT_THAT(load_error(dir_), HasSubstr("[tokenizer]")) << merges;
  }
}

}  // namespace
}  // namespace unmask
