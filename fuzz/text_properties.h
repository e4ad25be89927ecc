// What holds for every tokenizer and text.
#pragma once

#include <string_view>

#include "io/text/tokenizer.h"

namespace unmask::fuzz {

/// Ids are known, decoding whole and token by token gives the same valid UTF-8. Throws Error as
/// Tokenizer::encode.
void check_encoding(const Tokenizer& tokenizer, std::string_view text);

/// The same of ids alone, known or not.
void check_decoding(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                    DecodeOptions options);

}  // namespace unmask::fuzz
