// Parts that tokenizer.json shares with vocab.json, merges.txt and tokenizer_config.json. Every
// function throws Error starting with `where` or naming the file.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/text/tokenizer_spec.h"

namespace unmask {

/// Ids from here on are refused: the largest published vocabularies have some 2^18 tokens, and a
/// huge id only serves to make somebody allocate a table for it.
inline constexpr TokenId kTokenIdLimit = 1 << 24;

/// "[tokenizer] FILE", for messages.
std::string tokenizer_where(const std::filesystem::path& file);

/// The object that a file holds.
nlohmann::json read_object(const std::filesystem::path& file);

TokenId read_token_id(const nlohmann::json& value, const std::string& where);

/// An object from token text to id.
std::vector<std::pair<std::string, TokenId>> read_vocab(const nlohmann::json& object,
                                                        const std::string& where);

/// "a b" cut at its single space.
std::pair<std::string, std::string> split_merge(std::string_view line, const std::string& where);

/// What a post_processor puts around a text: spec.before and spec.after.
void read_post_processor(const nlohmann::json& step, const std::string& where, TokenizerSpec& spec);

/// An added token as an object with "content" and flags.
AddedToken read_added_token(const nlohmann::json& object, TokenId id, const std::string& where);

}  // namespace unmask
