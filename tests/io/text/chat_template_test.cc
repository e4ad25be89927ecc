#include "io/text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer.h"
#include "io/text/tokenizer_spec.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using Messages = std::vector<ChatMessage>;

constexpr const char* kLladaTemplate =
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
    "+ '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif "
    "%}{{ content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}";

TEST(ChatFormat, NamesRoundTrip) {
  EXPECT_EQ(parse_chat_format("llada"), ChatFormat::llada);
  EXPECT_EQ(parse_chat_format("chatml"), ChatFormat::chatml);
  EXPECT_EQ(chat_format_name(ChatFormat::chatml), "chatml");
  EXPECT_THROW(parse_chat_format("ChatML"), Error);
}

TEST(ChatLlada, AlwaysEndsWithTheHeaderOfTheAssistant) {
  EXPECT_EQ(render_chat(ChatFormat::llada, Messages{}).text(),
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
  EXPECT_EQ(
      render_chat(ChatFormat::llada, Messages{{"user", " hi\n"}}, {.add_generation_prompt = false})
          .text(),
      "<|startoftext|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

TEST(ChatLlada, HasNoTools) {
  EXPECT_THROW(render_chat(ChatFormat::llada, Messages{{"user", "x"}}, {.tools = {"{}"}}), Error);
  EXPECT_THROW(render_chat(ChatFormat::llada, Messages{{"assistant", "", {{"f", "{}"}}}}), Error);
}

TEST(ChatMl, DoesNotTrimAndAddsADefaultSystemText) {
  EXPECT_EQ(render_chat(ChatFormat::chatml, Messages{{"user", " hi\n"}}).text(),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\n hi\n<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(render_chat(ChatFormat::chatml, Messages{{"system", ""}, {"user", "x"}},
                        {.add_generation_prompt = false})
                .text(),
            "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nx<|im_end|>\n");
}

TEST(ChatMl, CallsKeepTheirTextAndJsonLooksLikePythons) {
  const Messages messages = {
      {"user", "x"},
      {"assistant",
       "thinking",
       {{"f", "{\"b\":[1,2.5,null,{}],\"a\":\"\xC3\xA9\\n\\u001f\"}"}, {"g", "[]"}}}};
  const std::string text = render_chat(ChatFormat::chatml, messages).text();
  EXPECT_THAT(text, HasSubstr("<|im_start|>assistant\nthinking\n<tool_call>\n"
                              "{\"name\": \"f\", \"arguments\": {\"b\": [1, 2.5, null, {}], "
                              "\"a\": \"\xC3\xA9\\n\\u001f\"}}\n</tool_call>\n<tool_call>\n"
                              "{\"name\": \"g\", \"arguments\": []}\n</tool_call><|im_end|>\n"));
}

TEST(Chat, WhatPeopleWriteIsQuoted) {
  const Messages messages = {
      {"system", "S<|im_end|>"}, {"user", "U<|eot_id|>"}, {"assistant", "A"}};
  for (const ChatFormat format : {ChatFormat::llada, ChatFormat::chatml}) {
    const PromptText prompt = render_chat(format, messages);
    for (const ChatMessage& message : messages) {
      const size_t at = prompt.text().rfind(message.content);
      ASSERT_NE(at, std::string::npos);
      for (size_t i = 0; i < message.content.size(); ++i) {
        EXPECT_TRUE(prompt.is_quoted(at + i, at + i + 1));
      }
    }
    EXPECT_FALSE(prompt.is_quoted(0, prompt.text().find("system"))) << prompt.text();
  }
}

TEST(ChatMl, RefusesWhatTheTemplateWouldDrop) {
  EXPECT_THROW(render_chat(ChatFormat::chatml, Messages{}), Error);
  EXPECT_THROW(render_chat(ChatFormat::chatml, Messages{{"robot", "x"}}), Error);
  EXPECT_THROW(render_chat(ChatFormat::chatml, Messages{{"user", "x"}}, {.tools = {"{"}}), Error);
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_THROW(render_chat(ChatFormat::chatml, Messages{{"user", "x"}}, {.tools = {deep}}), Error);
}

std::string detect(const testing::TempDir& dir) {
  try {
    return std::string(chat_format_name(detect_chat_format(dir.path())));
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(ChatDetection, ReadsEveryPlaceATemplateCanBe) {
  const testing::TempDir dir;
  EXPECT_THAT(detect(dir), HasSubstr("no chat template"));
  dir.write("tokenizer_config.json", nlohmann::json{{"chat_template", kLladaTemplate}}.dump());
  EXPECT_EQ(detect(dir), "llada");
  const nlohmann::json named = {{{"name", "rag"}, {"template", "x"}},
                                {{"name", "default"}, {"template", kLladaTemplate}}};
  dir.write("tokenizer_config.json", nlohmann::json{{"chat_template", named}}.dump());
  EXPECT_EQ(detect(dir), "llada");
  dir.write("chat_template.jinja", "another");
  EXPECT_THAT(detect(dir), HasSubstr("'another' is not a known one"));
  dir.write("chat_template.jinja", kLladaTemplate);
  EXPECT_EQ(detect(dir), "llada");
}

TEST(ChatDetection, LineBreaksAreReadAsJinjaReadsThem) {
  const testing::TempDir dir;
  std::string crlf;
  for (const char c : std::string(kLladaTemplate)) crlf += c == '\n' ? "\r\n" : std::string(1, c);
  for (const std::string& text :
       {std::string(kLladaTemplate), kLladaTemplate + std::string("\n"), crlf, crlf + "\r\n",
        "\xEF\xBB\xBF" + std::string(kLladaTemplate)}) {
    dir.write("chat_template.jinja", text);
    EXPECT_EQ(detect(dir), "llada");
  }
  dir.write("chat_template.jinja", kLladaTemplate + std::string("\n\n"));
  EXPECT_THAT(detect(dir), HasSubstr("is not a known one")) << "only one line break is dropped";
}

TEST(ChatDetection, NamedTemplatesHaveADefault) {
  const testing::TempDir dir;
  const std::filesystem::path folder = dir.path() / "additional_chat_templates";
  std::filesystem::create_directory(folder);
  dir.write("additional_chat_templates/tool_use.jinja", "x");
  EXPECT_THAT(detect(dir), HasSubstr("'x' is not a known one"));
  dir.write("additional_chat_templates/rag.jinja", "y");
  EXPECT_THAT(detect(dir), HasSubstr("no chat template"));
  dir.write("additional_chat_templates/default.jinja", kLladaTemplate);
  EXPECT_EQ(detect(dir), "llada");
  dir.write("chat_template.json", nlohmann::json{{"chat_template", "z"}}.dump());
  EXPECT_THAT(detect(dir), HasSubstr("'z' is not a known one"));
  dir.write("tokenizer_config.json",
            nlohmann::json{{"chat_template", {{"default", kLladaTemplate}, {"rag", "x"}}}}.dump());
  EXPECT_EQ(detect(dir), "llada");
}

TEST(ChatMarkers, MustBeTokens) {
  TokenizerSpec spec{.origin = "test", .patterns = {R"([\s\S]+)"}};
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.emplace_back(byte_to_alphabet(static_cast<uint8_t>(byte)), byte);
  }
  spec.added = {{.id = 300, .text = "<|im_start|>", .special = true}};
  const auto reason = [&](ChatFormat format) -> std::string {
    try {
      check_markers(format, Tokenizer::build(spec));
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::chat_format);
      return error.what();
    }
  };
  EXPECT_THAT(reason(ChatFormat::chatml),
              ::testing::AllOf(HasSubstr("<|im_end|>"), ::testing::Not(HasSubstr("im_start"))));
  EXPECT_THAT(reason(ChatFormat::llada), HasSubstr("<|start_header_id|>"));
  spec.added.push_back({.id = 301, .text = "<|im_end|>", .special = true});
  EXPECT_EQ(reason(ChatFormat::chatml), "");
}

TEST(ChatDetection, OneCharacterMakesATemplateUnknown) {
  const testing::TempDir dir;
  dir.write("chat_template.jinja", std::string(kLladaTemplate) + " ");
  EXPECT_THAT(detect(dir), HasSubstr("is not a known one"));
  EXPECT_THAT(detect(dir), ::testing::Not(HasSubstr("\n"))) << "messages have one line";
}

TEST(ChatDetection, StrangeConfigsAreErrors) {
  const testing::TempDir dir;
  for (const char* config : {"[]", "{}", R"({"chat_template": 3})", R"({"chat_template": []})",
                             R"({"chat_template": [1]})", R"({"chat_template": null})"}) {
    dir.write("tokenizer_config.json", config);
    EXPECT_THAT(detect(dir), HasSubstr("no chat template")) << config;
  }
}

}  // namespace
}  // namespace unmask
