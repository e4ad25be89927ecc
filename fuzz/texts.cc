// Text to tokens and back, and the patterns that cut it.
#include "io/text/pretokenizer.h"
#include "io/text/utf8.h"
#include "support.h"
#include "targets.h"
#include "text_properties.h"

namespace unmask::fuzz {

namespace {

const Tokenizer& demo() {
  static const Tokenizer tokenizer = Tokenizer::load(UNMASK_DEMO_DIRECTORY);
  return tokenizer;
}

}  // namespace

void check_decoding(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                    DecodeOptions options) {
  const std::string whole = tokenizer.decode(ids, options);
  require(sanitize_utf8(whole) == whole, "decoded text is UTF-8");
  StreamDecoder decoder(tokenizer, options);
  std::string pieces;
  for (const TokenId id : ids) {
    const std::string piece = decoder.push(id);
    require(sanitize_utf8(piece) == piece, "no piece has half a character");
    pieces += piece;
  }
  require(pieces + decoder.finish() == whole, "pieces add up to the whole");
}

void check_encoding(const Tokenizer& tokenizer, std::string_view text) {
  const std::vector<TokenId> ids = tokenizer.encode(text);
  for (const TokenId id : ids) {
    require(id >= 0 && id <= tokenizer.max_id(), "a text becomes known tokens");
  }
  check_decoding(tokenizer, ids, {});
}

void text(std::string_view input) {
  check_encoding(demo(), input);
  const std::string clean = sanitize_utf8(input);
  const std::string back = demo().decode(demo().encode(input));
  const std::string normal = normalize_nfc(clean);
  require(normalize_nfc(back) == normal, "nothing of a text is lost but its normalisation");
  require(normalize_nfc(normal) == normal, "NFC is final");
  PromptText quoted;
  quoted.quote(input);
  for (const TokenId id : demo().encode(quoted)) {
    require(!demo().is_special(id), "quoted text holds no control token");
  }
}

void stream(std::string_view input) {
  if (input.empty()) return;
  const DecodeOptions options{.skip_special = (input[0] & 1) != 0};
  std::vector<TokenId> ids;
  for (size_t i = 1; i + 1 < input.size(); i += 2) {
    const int low = static_cast<unsigned char>(input[i]);
    const int high = static_cast<unsigned char>(input[i + 1]);
    ids.push_back((high << 8 | low) % 4096 - 64);  // 2,048 tokens, the others do not exist
  }
  check_decoding(demo(), ids, options);
}

void split_pattern(std::string_view input) {
  const std::string_view pattern = take_part(input);
  const std::string text = sanitize_utf8(input);
  refused([&] {
    std::vector<std::string_view> pieces;
    SplitPattern(pattern).split(text, pieces);
    std::string together;
    for (const std::string_view piece : pieces) {
      require(!piece.empty(), "no piece is empty");
      together += piece;
    }
    require(together == text, "pieces add up to the text");
  });
}

}  // namespace unmask::fuzz
