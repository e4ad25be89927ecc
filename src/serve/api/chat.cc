#include "serve/api/chat.h"

#include "core/error.h"
#include "serve/api/chat_wording.h"
#include "serve/api/logprobs.h"
#include "serve/api/messages.h"
#include "serve/api/response_format.h"
#include "serve/api/tool_decision.h"
#include "serve/api/tools.h"

namespace unmask {

using nlohmann::json;

namespace {

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

/// Reads a chat's members one after the other and makes the plans of its answers.
class Chat {
 public:
  /// Throws ApiError for what cannot be answered.
  Chat(const std::string& text, Fields& body, const ApiContext& context);
  Prepared prepare();

 private:
  void tell_model_of_tools();
  std::vector<TokenId> encode() const;
  /// Of an answer that is a call. What filters the vocabulary is left out beside it.
  GenerationFields call_fields() const;
  std::unique_ptr<GenerationPlan> plan(GenerationFields fields, std::vector<TokenId> prompt) const;
  std::unique_ptr<GenerationPlan> text_plan() const;
  std::unique_ptr<GenerationPlan> call_plan() const;
  std::unique_ptr<Plan> either_plan() const;

  const ApiContext& context_;
  GenerationFields fields_;
  std::optional<AnswerForm> form_;
  bool schema_in_prompt_ = true;
  std::optional<int> alternatives_;
  ToolUse tools_;
  std::vector<ChatMessage> messages_;
  std::map<std::string, std::string> variables_;  // of the chat template
  std::vector<std::string> told_;  // the tools, where the chat format has a place for them
};

Chat::Chat(const std::string& text, Fields& body, const ApiContext& context) : context_(context) {
  check_model(body, context);
  refuse_unsupported(body);
  fields_ = read_generation(body, context.defaults, [this](Fields& diffusion) {
    schema_in_prompt_ = diffusion.flag("schema_in_prompt").value_or(true);
  });
  alternatives_ = read_chat_logprobs(body);
  RequestOptions& options = fields_.options;
  options.max_tokens = read_length(body, context.defaults.max_tokens);
  if (options.gen_length && *options.gen_length > *options.max_tokens) {
    options.gen_length = options.max_tokens;
  }
  messages_ = read_messages(body);
  variables_ = read_template_variables(body);
  tools_ = read_tools(body, text);
  if (body.flag("parallel_tool_calls").value_or(false) && tools_.mode != ToolMode::none) {
    fields_.ignored.emplace_back("parallel_tool_calls");
  }
  form_ = read_response_format(body, text, *context.constraints);
}

Prepared Chat::prepare() {
  if (form_ && tools_.mode == ToolMode::required) {
    form_.reset();
    fields_.ignored.emplace_back("response_format");
  }
  if (form_) {
    check_beside_schema(fields_);
    fields_.options.constraint = form_->constraint;
    if (schema_in_prompt_) add_to_system(messages_, form_->instruction);
  }
  tell_model_of_tools();
  Prepared prepared;
  switch (tools_.mode) {
    case ToolMode::none: prepared.plan = text_plan(); break;
    case ToolMode::required: prepared.plan = call_plan(); break;
    case ToolMode::automatic: prepared.plan = either_plan(); break;
  }
  return prepared;
}

void Chat::tell_model_of_tools() {
  const bool has_place = [&] {
    try {
      return choose_chat_template(context_.files, {}).has_tools();
    } catch (const Error& error) {
      throw invalid_value("messages", error.what());
    }
  }();
  if (has_place) {
    for (const Tool& tool : tools_.tools) told_.push_back(tool.text);
  } else if (tell_of_tools(tools_, messages_)) {
    fields_.warnings.emplace_back(
        "the model's chat template has no tools; they are told in the system text");
  }
}

std::vector<TokenId> Chat::encode() const {
  try {
    return encode_messages(context_.files, {.tools = told_, .variables = variables_}, messages_);
  } catch (const Error& error) {
    throw invalid_value("messages", error.what());
  }
}

GenerationFields Chat::call_fields() const {
  GenerationFields fields = fields_;
  RequestOptions& options = fields.options;
  const auto leave_out = [&](const char* name, auto& value, const auto& neutral) {
    if (value != neutral) fields.ignored.emplace_back(name);
    value = neutral;
  };
  leave_out("top_p", options.top_p, std::optional<double>());
  leave_out("top_k", options.top_k, std::optional<int>());
  leave_out("stop", fields.stops, std::vector<std::string>());  // would break a call in two
  check_beside_schema(fields);
  options.constraint = tool_constraint(tools_, tools_.allowed, *context_.constraints);
  return fields;
}

std::unique_ptr<GenerationPlan> Chat::plan(GenerationFields fields,
                                           std::vector<TokenId> prompt) const {
  auto plan = std::make_unique<GenerationPlan>();
  const Request first = checked([&] {
    return build_request(fields.options, context_.files, std::move(prompt), &fields.warnings);
  });
  check_context(first, context_.defaults.context);
  if (alternatives_) plan->logprobs = LogprobForm::chat;
  for (int i = 0; i < fields.choices; ++i) {
    plan->requests.push_back(first);
    plan->requests.back().sampler.seed = seed_of_choice(fields.options.seed, i);
    plan->requests.back().alternatives = alternatives_;
    plan->texts.push_back({.mask_id = context_.files.config().mask_id,
                           .begin = first.prompt_length,
                           .stops = fields.stops});
  }
  check_memory({&first, 1}, context_);
  plan->fields = std::move(fields);
  return plan;
}

std::unique_ptr<GenerationPlan> Chat::text_plan() const {
  auto plan = this->plan(fields_, encode());
  plan->wording = std::make_unique<ChatWording>();
  return plan;
}

std::unique_ptr<GenerationPlan> Chat::call_plan() const {
  std::vector<TokenId> prompt = encode();
  if (!told_.empty() && context_.files.chat_template().writes("<tool_call>")) {
    // Where the template writes this, it is how the model learned to begin a call.
    const auto opening = context_.files.tokenizer().encode("<tool_call>\n");
    prompt.insert(prompt.end(), opening.begin(), opening.end());
  }
  auto plan = this->plan(call_fields(), std::move(prompt));
  plan->wording = std::make_unique<CallWording>(fields_.choices);
  return plan;
}

std::unique_ptr<Plan> Chat::either_plan() const {
  ToolBranches branches;
  branches.text = text_plan();
  branches.call = call_plan();
  branches.constraint = [tools = tools_, constraints = context_.constraints](size_t tool) {
    return tool_constraint(tools, {&tool, 1}, *constraints);
  };
  return plan_tool_decision(ask_for_tool(context_, messages_, tools_.tools), std::move(branches));
}

}  // namespace

Prepared prepare_chat(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  return Chat(request.body, body, context).prepare();
}

}  // namespace unmask
