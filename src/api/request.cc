#include "unmask/request.h"

#include <nlohmann/json.hpp>

#include "api/access.h"
#include "api/options.h"
#include "api/translate.h"
#include "core/error.h"
#include "io/json_file.h"
#include "methods/registry.h"
#include "session/request_builder.h"
#include "unmask/unmask.h"

namespace unmask_v0 {

namespace {

constexpr size_t kMostSchema = size_t{64} << 10;  // bytes

/// Makes the answer what the options ask for, and tells the model of it.
void demand_form(const RequestOptions& options, Model::Data& model, unmask::PromptOptions& prompt,
                 unmask::RequestOptions& generation) {
  if (!options.json_schema && !options.json_object) return;
  if (options.json_schema && options.json_object) {
    unmask::fail("[request] json_object and json_schema exclude each other");
  }
  const unmask::AnswerForm form =
      options.json_object
          ? unmask::json_object_form(model.constraints)
          : unmask::schema_form(unmask::parse_ordered_json(*options.json_schema, "[request] schema",
                                                           {.max_bytes = kMostSchema}),
                                model.constraints);
  generation.constraint = form.constraint;
  if (!prompt.raw) prompt.system = unmask::with_line(prompt.system.value_or(""), form.instruction);
}

/// What to make of the options, and a prompt's tokens from what they say of it.
template <typename Encode>
Request prepared(const std::shared_ptr<Model::Data>& model, const RequestOptions& options,
                 const Encode& encode) {
  return translated([&] {
    unmask::PromptOptions prompt = prompt_options(options);
    unmask::RequestOptions generation = generation_options(options);
    demand_form(options, *model, prompt, generation);
    std::vector<std::string> notes;
    unmask::Request request =
        unmask::build_request(generation, model->model.files(), encode(prompt), &notes);
    const int begin = request.prompt_length;
    return Access::make({.request = std::move(request),
                         .model = model,
                         .shown_from = begin,
                         .notes = std::move(notes)});
  });
}

}  // namespace

Request Access::make(Request::Data data) {
  Request request;
  request.data_ = std::make_shared<const Request::Data>(std::move(data));
  return request;
}

const Request::Data& Access::request_for(const Model& model, const Request& request) {
  if (!request.data_) {
    throw Error(ErrorCode::misuse, "[request] found an empty one, expected one of Model::prepare");
  }
  if (request.data_->model.lock() != model.data_) {
    throw Error(ErrorCode::misuse, "[request] was prepared for another model");
  }
  return *request.data_;
}

Request Model::prepare(std::string_view prompt, const RequestOptions& options) const {
  return prepared(data_, options, [&](const unmask::PromptOptions& how) {
    return unmask::encode_question(data_->model.files(), how, std::string(prompt));
  });
}

Request Model::prepare_chat(std::span<const Message> messages,
                            const RequestOptions& options) const {
  return prepared(data_, options, [&](const unmask::PromptOptions& how) {
    std::vector<unmask::ChatMessage> all;
    for (const Message& m : messages) all.push_back({m.role, m.content});
    if (all.empty()) unmask::fail("[prompt] found no message, expected at least one");
    return unmask::encode_messages(data_->model.files(), how, std::move(all));
  });
}

Request Model::prepare_tokens(std::span<const Token> prompt, const RequestOptions& options) const {
  return prepared(data_, options, [&](const unmask::PromptOptions&) {
    check_tokens(prompt, data_->model.config());
    return std::vector<unmask::TokenId>(prompt.begin(), prompt.end());
  });
}

Request Model::prepare_fill(std::string_view text, const RequestOptions& options,
                            std::string_view question) const {
  return translated([&] {
    const unmask::ModelFiles& files = data_->model.files();
    if (options.json_schema || options.json_object) {
      unmask::fail("[fill] a schema: found one, expected none where text is given");
    }
    const unmask::RequestOptions generation = generation_options(options);
    std::vector<unmask::TokenId> prompt;
    if (!question.empty()) {
      prompt = unmask::encode_question(files, prompt_options(options), std::string(question));
    }
    const auto begin = static_cast<int>(prompt.size());
    std::vector<std::string> notes;
    unmask::Request request = unmask::build_fill_request(
        generation, files, unmask::parse_fill_template(text, options.hole), std::move(prompt),
        &notes);
    return Access::make({.request = std::move(request),
                         .model = data_,
                         .shown_from = begin,
                         .filled = true,
                         .notes = std::move(notes)});
  });
}

std::span<const Token> Request::tokens() const { return data_->request.tokens; }
int Request::prompt_length() const { return data_->request.prompt_length; }
int Request::block_length() const { return data_->request.block_length; }
int Request::steps() const { return data_->request.steps; }
std::string Request::method() const { return data_->request.method; }
const std::vector<std::string>& Request::notes() const { return data_->notes; }

std::vector<PresetInfo> presets() {
  std::vector<PresetInfo> all;
  for (const unmask::PresetSettings& p : unmask::presets()) {
    all.push_back({std::string(p.name), std::string(p.what), std::string(p.method), p.threshold,
                   p.block_length});
  }
  return all;
}

std::vector<std::string> methods() { return unmask::method_names(); }

std::vector<std::string> method_options(std::string_view method) {
  return translated([&] { return unmask::method_options(method); });
}

const char* version() noexcept { return UNMASK_VERSION; }

}  // namespace unmask_v0
