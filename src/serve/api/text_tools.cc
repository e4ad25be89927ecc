#include "serve/api/text_tools.h"

#include "core/error.h"
#include "serve/api/envelope.h"
#include "serve/api/messages.h"
#include "serve/api/prompts.h"

namespace unmask {

using nlohmann::json;

namespace {

/// The text of a token, or its bytes where they are no text by themselves.
Json piece_of(const Tokenizer& tokenizer, TokenId id) {
  const std::string bytes = tokenizer.token_bytes(id);
  if (sanitize_utf8(bytes) == bytes) return bytes;
  Json numbers = Json::array();
  for (const char c : bytes) numbers.push_back(static_cast<uint8_t>(c));
  return numbers;
}

}  // namespace

Prepared prepare_tokenize(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  const auto content = body.text("content");
  if (!content) body.refuse("content", "found nothing, expected a text");
  const bool add_special = body.flag("add_special").value_or(false);
  const bool parse_special = body.flag("parse_special").value_or(true);
  const Tokenizer& tokenizer = context.files.tokenizer();
  PromptText text;
  if (parse_special) {
    text.write(*content);
  } else {
    text.quote(*content);
  }
  std::vector<TokenId> ids = tokenizer.encode(text);
  if (add_special) {
    const std::vector<TokenId> around = tokenizer.encode_prompt("");
    const auto behind =
        static_cast<std::ptrdiff_t>(around.size() - tokenizer.after_prompt().size());
    ids.insert(ids.begin(), around.begin(), around.begin() + behind);
    ids.insert(ids.end(), around.begin() + behind, around.end());
  }
  if (!body.flag("with_pieces").value_or(false)) return {json_reply({{"tokens", ids}})};
  Json pieces = Json::array();
  for (const TokenId id : ids) pieces.push_back({{"id", id}, {"piece", piece_of(tokenizer, id)}});
  return {json_reply({{"tokens", std::move(pieces)}})};
}

Prepared prepare_detokenize(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  const json* tokens = body.find("tokens");
  if (tokens == nullptr || !tokens->is_array()) {
    body.refuse("tokens", "expected an array of token ids");
  }
  const auto ids = read_tokens(*tokens, "tokens", context.files.config().vocab_size);
  return {json_reply({{"content", context.files.tokenizer().decode(ids)}})};
}

Prepared prepare_apply_template(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  check_model(body, context);
  const std::vector<ChatMessage> messages = read_messages(body);
  const ChatOptions options{.variables = read_template_variables(body)};
  try {
    const ChatTemplate format = choose_chat_template(context.files, {});
    return {json_reply({{"prompt", format.render(messages, options).text()}})};
  } catch (const Error& error) {
    throw invalid_value("messages", error.what());
  }
}

}  // namespace unmask
