#include "io/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "core/error.h"
#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer_spec.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using Ids = std::vector<TokenId>;

constexpr TokenId kThe = 257;
constexpr TokenId kEnd = 300;      // "<|end|>", special
constexpr TokenId kEndTurn = 301;  // "<|end|>!", ordinary
constexpr TokenId kAccent = 302;   // e with acute and "!", searched after NFC

/// 256 bytes with their value as id, "th" and "the", three added tokens.
TokenizerSpec make_spec() {
  TokenizerSpec spec{.origin = "test", .nfc = true, .patterns = {R"( ?\p{L}+|\s+|[^\s\p{L}]+)"}};
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.emplace_back(byte_to_alphabet(static_cast<uint8_t>(byte)), byte);
  }
  spec.vocab.emplace_back("th", 256);
  spec.vocab.emplace_back("the", kThe);
  spec.merges = {{"t", "h"}, {"th", "e"}};
  spec.added = {{.id = kEnd, .text = "<|end|>", .special = true},
                {.id = kEndTurn, .text = "<|end|>!"},
                {.id = kAccent, .text = "\xC3\xA9!", .normalized = true}};
  return spec;
}

std::string build_error(const TokenizerSpec& spec) {
  try {
    Tokenizer::build(spec);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Tokenizer, EncodesPlainText) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  EXPECT_EQ(tokenizer.encode(""), Ids{});
  EXPECT_EQ(tokenizer.encode("the the"), (Ids{kThe, ' ', kThe}));
  EXPECT_EQ(tokenizer.encode(std::string("\0", 1)), Ids{0});
  EXPECT_EQ(tokenizer.encode("t<h"), (Ids{'t', '<', 'h'})) << "no merge across pieces";
}

TEST(Tokenizer, TheLongestAddedTokenWins) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  EXPECT_EQ(tokenizer.encode("<|end|>"), Ids{kEnd});
  EXPECT_EQ(tokenizer.encode("<|end|><|end|>!"), (Ids{kEnd, kEndTurn}));
  EXPECT_EQ(tokenizer.encode("a<|end|>b"), (Ids{'a', kEnd, 'b'}));
  EXPECT_EQ(tokenizer.encode("<|en"), (Ids{'<', '|', 'e', 'n'})) << "half a token";
  EXPECT_EQ(tokenizer.encode("<|e<|end|>"), (Ids{'<', '|', 'e', kEnd}));
}

TEST(Tokenizer, AddedTokensAreSplitBeforeNormalisation) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  // U+0338 would fuse with the last character of the token.
  EXPECT_EQ(tokenizer.encode("<|end|>\xCC\xB8"), (Ids{kEnd, 0xCC, 0xB8}));
}

TEST(Tokenizer, NormalizedAddedTokensAreSearchedAfterIt) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  EXPECT_EQ(tokenizer.encode("xe\xCC\x81!y"), (Ids{'x', kAccent, 'y'}));
  TokenizerSpec plain = make_spec();
  plain.nfc = false;
  EXPECT_EQ(Tokenizer::build(plain).encode("xe\xCC\x81\xC3\xA9!"),
            (Ids{'x', 'e', 0xCC, 0x81, kAccent}));
}

TEST(Tokenizer, InvalidUtf8BecomesReplacementCharacters) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  EXPECT_EQ(tokenizer.encode("a\xFF"), tokenizer.encode("a\xEF\xBF\xBD"));
  EXPECT_EQ(tokenizer.encode("\xE2\x82<|end|>"), (Ids{0xEF, 0xBF, 0xBD, kEnd}));
}

TEST(Tokenizer, IgnoreMergesTakesWholePieces) {
  TokenizerSpec spec = make_spec();
  spec.vocab.emplace_back("\xC4\xA0zoo", 258);  // no merge leads there
  EXPECT_EQ(Tokenizer::build(spec).encode(" zoo"), (Ids{' ', 'z', 'o', 'o'}));
  spec.ignore_merges = true;
  EXPECT_EQ(Tokenizer::build(spec).encode(" zoo the"), (Ids{258, ' ', kThe}));
}

TEST(Tokenizer, DecodesWhatIsKnown) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  EXPECT_EQ(tokenizer.decode({}), "");
  EXPECT_EQ(tokenizer.decode(Ids{kThe, kEnd, kEndTurn, 999, -1, 0}),
            std::string("the<|end|><|end|>!\0", 19));
  EXPECT_EQ(tokenizer.decode(Ids{kThe, kEnd, kEndTurn}, {.skip_special = true}), "the<|end|>!");
  EXPECT_EQ(tokenizer.decode(Ids{0xE2, 0x82}), "\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer.decode(Ids{0xE2, kEnd, 0x82}), "\xEF\xBF\xBD<|end|>\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer.decode(Ids{0xE2, kEnd, 0x82, 0xAC}, {.skip_special = true}), "\xE2\x82\xAC");
}

TEST(Tokenizer, AnswersQuestionsAboutTokens) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  EXPECT_EQ(tokenizer.size(), 261);
  EXPECT_EQ(tokenizer.max_id(), kAccent);
  EXPECT_EQ(tokenizer.added_token("<|end|>"), kEnd);
  EXPECT_EQ(tokenizer.added_token("the"), std::nullopt) << "not an added one";
  EXPECT_TRUE(tokenizer.is_special(kEnd));
  EXPECT_FALSE(tokenizer.is_special(kEndTurn));
  EXPECT_FALSE(tokenizer.is_special(12345));
  EXPECT_EQ(tokenizer.token_bytes(0xFF), "\xFF");
  EXPECT_EQ(tokenizer.token_bytes(12345), "");
}

TEST(Tokenizer, BuildRefusesWhatDoesNotFitTogether) {
  TokenizerSpec spec = make_spec();
  EXPECT_EQ(build_error(spec), "");
  spec.vocab.emplace_back("twice", kThe);
  EXPECT_THAT(build_error(spec), HasSubstr("share the id 257"));
  spec = make_spec();
  spec.vocab.emplace_back("the", 258);
  EXPECT_THAT(build_error(spec), HasSubstr("'the' occurs twice"));
  spec = make_spec();
  spec.merges.emplace_back("the", "y");
  EXPECT_THAT(build_error(spec), HasSubstr("'they' of the merges"));
  spec = make_spec();
  spec.vocab.erase(spec.vocab.begin() + 'q');
  EXPECT_THAT(build_error(spec), HasSubstr("byte 0x71"));
  spec = make_spec();
  spec.vocab.erase(spec.vocab.begin() + 0xFF);
  EXPECT_EQ(build_error(spec), "") << "0xFF never occurs in UTF-8";
}

TEST(Tokenizer, BuildChecksAddedTokens) {
  TokenizerSpec spec = make_spec();
  spec.added.push_back({.id = kThe, .text = "<other>"});
  EXPECT_THAT(build_error(spec), HasSubstr("share the id 257"));
  spec.added.back() = {.id = 400, .text = ""};
  EXPECT_THAT(build_error(spec), HasSubstr("no text"));
  spec.added.back() = {.id = 400, .text = "<|end|>"};
  EXPECT_THAT(build_error(spec), HasSubstr("occurs twice"));
  spec.added.back() = {.id = 400, .text = "the"};
  EXPECT_THAT(build_error(spec), HasSubstr("in the vocabulary it has 257"));
  spec.added.back() = {.id = kThe, .text = "the", .special = true};
  EXPECT_TRUE(Tokenizer::build(spec).is_special(kThe)) << "listed in both places";
}

TEST(StreamDecoder, WaitsForCompleteCharacters) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  StreamDecoder decoder(tokenizer, {});
  EXPECT_EQ(decoder.push(0xE2), "");
  EXPECT_EQ(decoder.push(0x82), "");
  EXPECT_EQ(decoder.push(0xAC), "\xE2\x82\xAC");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.push('a'), "\xEF\xBF\xBD\x61");
  EXPECT_EQ(decoder.push(0xC3), "");
  EXPECT_EQ(decoder.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, ConcatenationEqualsDecode) {
  const Tokenizer tokenizer = Tokenizer::build(make_spec());
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<TokenId> high_bytes(0x78, 305);  // broken characters abound
    Ids ids(random() % 40);
    for (TokenId& id : ids) id = high_bytes(random);
    for (const bool skip : {false, true}) {
      const DecodeOptions options{.skip_special = skip};
      StreamDecoder decoder(tokenizer, options);
      std::string text;
      for (const TokenId id : ids) {
        const std::string part = decoder.push(id);
        EXPECT_EQ(sanitize_utf8(part), part) << "never half a character";
        text += part;
      }
      EXPECT_EQ(text + decoder.finish(), tokenizer.decode(ids, options)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace unmask
