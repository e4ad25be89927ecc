// The alphabet in which byte-level tokenizers write their tokens: every byte has a printable
// character of its own. Printable Latin-1 stands for itself, the others for U+0100 onwards (GPT-2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace unmask {

/// The bytes that `text` stands for; none when it has a character outside the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view text);

/// The character of `byte`, as UTF-8.
std::string byte_to_alphabet(uint8_t byte);

}  // namespace unmask
