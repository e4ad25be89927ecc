// Tokenizers and chat templates against the reference implementations.
#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "io/text/chat_template.h"
#include "io/text/pretokenizer.h"
#include "io/text/tokenizer.h"
#include "io/text/utf8.h"
#include "support/golden.h"
#include "support/sha256.h"
#include "support/temp_dir.h"

namespace unmask::golden {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<TokenId>;

const std::set<std::string> kTokenizerKinds = {"encode", "decode", "invalid_utf8", "stress"};

const Claim kTokenizerFiles([](const Case& c) { return kTokenizerKinds.contains(c.kind()); });
const Claim kUnicodeFiles([](const Case& c) {
  return c.kind() == "nfc" || c.kind() == "unicode_classes";
});
const Claim kChatFiles([](const Case& c) { return c.kind() == "chat"; });

/// The same tokenizer in every layout its folder allows: as it is and, where vocab.json is there,
/// without tokenizer.json.
std::map<std::string, Tokenizer> load_layouts(const fs::path& folder) {
  std::map<std::string, Tokenizer> layouts;
  layouts.emplace("tokenizer.json", Tokenizer::load(folder));
  if (!fs::exists(folder / "vocab.json")) return layouts;
  const testing::TempDir dir;
  for (const char* file : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    fs::create_symlink(fs::absolute(folder / file), dir.path() / file);
  }
  layouts.emplace("vocab.json", Tokenizer::load(dir.path()));
  return layouts;
}

/// Loading the real vocabulary takes a moment, hence once a folder.
const std::map<std::string, Tokenizer>& layouts_of(const Case& c) {
  static std::map<std::string, std::map<std::string, Tokenizer>> loaded;
  const fs::path folder = find_folder(c.json.at("tokenizer"), "tokenizer.json");
  const auto known = loaded.find(folder);
  if (known != loaded.end()) return known->second;
  return loaded.emplace(folder, load_layouts(folder)).first->second;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

void check_encode(const Tokenizer& tokenizer, const nlohmann::json& item) {
  const Ids ids = tokenizer.encode(item.at("text").get<std::string>());
  EXPECT_EQ(ids, item.at("ids").get<Ids>());
  if (item.contains("decoded")) {
    EXPECT_EQ(tokenizer.decode(ids), item["decoded"].get<std::string>());
  }
  if (item.contains("decoded_skip_special")) {
    EXPECT_EQ(tokenizer.decode(ids, {.skip_special = true}),
              item["decoded_skip_special"].get<std::string>());
  }
}

std::string stream(const Tokenizer& tokenizer, const Ids& ids, DecodeOptions options) {
  StreamDecoder decoder(tokenizer, options);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

void check_decode(const Tokenizer& tokenizer, const nlohmann::json& item) {
  const Ids ids = item.at("ids");
  const DecodeOptions skip{.skip_special = true};
  EXPECT_EQ(tokenizer.decode(ids), item.at("decoded").get<std::string>());
  EXPECT_EQ(stream(tokenizer, ids, {}), item.at("decoded").get<std::string>());
  EXPECT_EQ(tokenizer.decode(ids, skip), item.at("decoded_skip_special").get<std::string>());
  EXPECT_EQ(stream(tokenizer, ids, skip), item.at("decoded_skip_special").get<std::string>());
}

void check_invalid(const Tokenizer& tokenizer, const nlohmann::json& item) {
  const std::string bytes = from_hex(item.at("bytes_hex"));
  EXPECT_EQ(sanitize_utf8(bytes), item.at("sanitized").get<std::string>());
  EXPECT_EQ(tokenizer.encode(bytes), item.at("ids").get<Ids>());
}

void check_stress(const Tokenizer& tokenizer, const nlohmann::json& item) {
  std::string text;
  for (int i = 0; i < item.at("repeat").get<int>(); ++i) text += item.at("unit").get<std::string>();
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = tokenizer.encode(text);
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  std::cout << fmt::format("{} x {}: {:.0f} ms, reference {} ms\n", item["repeat"].dump(),
                           item["unit"].dump(), spent.count(), item["reference_ms"].dump());
  EXPECT_EQ(ids.size(), item.at("n_ids").get<size_t>());
  EXPECT_EQ(sha256_hex(fmt::format("{}", fmt::join(ids, ","))),
            item.at("sha256_of_decimal_ids_joined_by_comma").get<std::string>());
  EXPECT_LT(spent.count(), 20'000) << "a quadratic algorithm takes minutes";
}

class GoldenTokenizer : public ::testing::TestWithParam<Case> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenTokenizer);
INSTANTIATE_TEST_SUITE_P(Files, GoldenTokenizer, ::testing::ValuesIn(kTokenizerFiles.cases()),
                         test_name);

TEST_P(GoldenTokenizer, AgreesWithTheReference) {
  const std::map<std::string, void (*)(const Tokenizer&, const nlohmann::json&)> checks = {
      {"encode", check_encode},
      {"decode", check_decode},
      {"invalid_utf8", check_invalid},
      {"stress", check_stress}};
  for (const auto& [layout, tokenizer] : layouts_of(GetParam())) {
    int number = 0;
    for (const auto& item : GetParam().json.at("cases")) {
      SCOPED_TRACE(fmt::format("{}, case {}", layout, number++));
      checks.at(GetParam().kind())(tokenizer, item);
    }
    EXPECT_GT(number, 0);
  }
}

/// Code points that `pattern` cuts out of a text where each stands between two exclamation marks.
std::set<char32_t> matched(const std::string& pattern) {
  std::string text;
  std::vector<std::pair<size_t, char32_t>> offsets;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    text += '!';
    offsets.emplace_back(text.size(), c);
    append_utf8(c, text);
  }
  std::vector<std::string_view> pieces;
  SplitPattern(pattern).split(text, pieces);
  std::set<size_t> starts;
  for (const std::string_view piece : pieces) {
    starts.insert(static_cast<size_t>(piece.data() - text.data()));
  }
  std::set<char32_t> found;
  for (const auto& [offset, c] : offsets) {
    if (starts.contains(offset)) found.insert(c);
  }
  return found;
}

std::set<char32_t> expand(const nlohmann::json& ranges) {
  std::set<char32_t> all;
  for (const auto& range : ranges) {
    const auto first = (range.is_array() ? range[0] : range).get<uint32_t>();
    const auto last = (range.is_array() ? range[1] : range).get<uint32_t>();
    for (uint32_t c = first; c <= last; ++c) all.insert(c);
  }
  return all;
}

class GoldenTokenizerUnicode : public ::testing::TestWithParam<Case> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenTokenizerUnicode);
INSTANTIATE_TEST_SUITE_P(Files, GoldenTokenizerUnicode, ::testing::ValuesIn(kUnicodeFiles.cases()),
                         test_name);

TEST_P(GoldenTokenizerUnicode, AgreesWithTheReference) {
  const nlohmann::json& data = GetParam().json;
  if (GetParam().kind() == "nfc") {
    for (const auto& item : data.at("cases")) {
      EXPECT_EQ(normalize_nfc(item.at("text").get<std::string>()),
                item.at("nfc").get<std::string>());
    }
    return;
  }
  EXPECT_EQ(matched(R"(\p{L})"), expand(data.at("L")));
  EXPECT_EQ(matched(R"([\p{N}])"), expand(data.at("N")));
  EXPECT_EQ(matched(R"(\s)"), expand(data.at("whitespace")));
  EXPECT_EQ(matched(R"([^!\S])"), expand(data.at("whitespace")));
}

std::vector<ChatMessage> messages_of(const nlohmann::ordered_json& list) {
  std::vector<ChatMessage> messages;
  for (const auto& item : list) {
    ChatMessage message{item.at("role"), item.at("content")};
    for (const auto& call : item.value("tool_calls", nlohmann::ordered_json::array())) {
      const auto& function = call.at("function");
      message.tool_calls.push_back({function.at("name"), function.at("arguments").dump()});
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

class GoldenChat : public ::testing::TestWithParam<Case> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenChat);
INSTANTIATE_TEST_SUITE_P(Files, GoldenChat, ::testing::ValuesIn(kChatFiles.cases()), test_name);

TEST_P(GoldenChat, AgreesWithTheReference) {
  const fs::path folder = find_folder(GetParam().json.at("tokenizer"), "tokenizer.json");
  const ChatTemplate format = ChatTemplate::load(folder, layouts_of(GetParam()).begin()->second);
  // Tools are printed in the order of the file, which the shared JSON type does not keep.
  std::ifstream in(GetParam().file);
  const auto data = nlohmann::ordered_json::parse(in);
  for (const auto& item : data.at("cases")) {
    SCOPED_TRACE(item.at("name").get<std::string>());
    ChatOptions options{.add_generation_prompt = item.at("add_generation_prompt")};
    for (const auto& tool : item.at("tools")) options.tools.push_back(tool.dump());
    // The reference reads markers in messages as tokens, so the text is compared, not the quotes.
    const std::string text = format.render(messages_of(item.at("messages")), options).text();
    EXPECT_EQ(text, item.at("rendered").get<std::string>());
    for (const auto& [layout, tokenizer] : layouts_of(GetParam())) {
      EXPECT_EQ(tokenizer.encode(text), item.at("ids").get<Ids>()) << layout;
    }
  }
}

}  // namespace
}  // namespace unmask::golden
