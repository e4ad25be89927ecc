#include "serve/api/chat.h"

#include "core/error.h"
#include "serve/api/generation_reply.h"
#include "serve/api/messages.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr int kMostAlternatives = 20;

class ChatWording final : public Wording {
 public:
  std::string object(bool streamed) const override {
    return streamed ? "chat.completion.chunk" : "chat.completion";
  }
  std::string id_prefix() const override { return "chatcmpl-"; }
  Json choice(int index, const FinishedChoice& finished) const override {
    return {{"index", index},
            {"message", {{"role", "assistant"}, {"content", finished.text}, {"refusal", nullptr}}},
            {"logprobs", nullptr},
            {"finish_reason", finished.reason}};
  }
  Json opening(int index) const override {
    return delta(index, {{"role", "assistant"}, {"content", ""}});
  }
  Json piece(int index, const std::string& text) const override {
    return delta(index, text.empty() ? Json::object() : Json{{"content", text}});
  }
  Json closing(int index, const FinishedChoice& finished) const override {
    Json last = delta(index, Json::object());
    last["finish_reason"] = finished.reason;
    return last;
  }

 private:
  static Json delta(int index, Json content) {
    return {{"index", index},
            {"delta", std::move(content)},
            {"logprobs", nullptr},
            {"finish_reason", nullptr}};
  }
};

/// Members that ask for what this server does not do.
void refuse_unsupported(Fields& body) {
  for (const char* name : {"audio", "web_search_options", "functions"}) {
    if (body.find(name) == nullptr) continue;
    body.refuse(name, "expected nothing: this server does not have it", "unsupported_parameter");
  }
  const json* modalities = body.find("modalities");
  if (modalities != nullptr && *modalities != json::array({"text"})) {
    body.refuse("modalities", "expected [\"text\"]", "unsupported_parameter");
  }
}

int read_length(Fields& body, int otherwise) {
  const auto old = body.count("max_tokens", 1);
  const auto length = body.count("max_completion_tokens", 1);
  if (old && length && *old != *length) {
    body.refuse("max_tokens", fmt::format("found {} beside max_completion_tokens {}, expected one "
                                          "of them",
                                          *old, *length));
  }
  return length.value_or(old.value_or(otherwise));
}

}  // namespace

Prepared prepare_chat(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  check_model(body, context);
  refuse_unsupported(body);
  auto plan = std::make_unique<GenerationPlan>();
  plan->fields = read_generation(body, context.defaults);
  GenerationFields& fields = plan->fields;
  fields.options.max_tokens = read_length(body, context.defaults.max_tokens);
  if (fields.options.gen_length && *fields.options.gen_length > *fields.options.max_tokens) {
    fields.options.gen_length = fields.options.max_tokens;
  }
  const std::vector<ChatMessage> messages = read_messages(body);
  std::vector<TokenId> prompt;
  try {
    prompt = encode_messages(context.files, {}, messages);
  } catch (const Error& error) {
    throw invalid_value("messages", error.what());
  }
  const Request first = checked([&] {
    return build_request(fields.options, context.files, std::move(prompt), &fields.warnings);
  });
  check_context(first, context.defaults.context);
  for (int i = 0; i < fields.choices; ++i) {
    plan->requests.push_back(first);
    plan->requests.back().sampler.seed = seed_of_choice(fields.options.seed, i);
    plan->texts.push_back({.mask_id = context.files.config().mask_id,
                           .begin = first.prompt_length,
                           .stops = fields.stops});
  }
  check_memory({&first, 1}, context);
  plan->wording = std::make_unique<ChatWording>();
  return {.plan = std::move(plan)};
}

}  // namespace unmask
