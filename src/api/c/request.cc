#include "api/c/handles.h"

using namespace unmask_v0;  // NOLINT(google-build-using-namespace): the C interface is all of it

namespace {

/// A callback of C and what it is handed, as a callback of C++.
StepCallback callback_of(unmask_step_callback on_step, void* user) {
  if (on_step == nullptr) return {};
  return [on_step, user](const StepEvent& e) {
    std::vector<unmask_decision> decided;
    for (const Decision& d : e.decided) decided.push_back({d.position, d.token, d.confidence});
    const unmask_step_event event{.request = e.request,
                                  .step = e.step,
                                  .total_steps = e.total_steps,
                                  .block_begin = e.block.begin,
                                  .block_end = e.block.end,
                                  .tokens = e.tokens.data(),
                                  .n_tokens = e.tokens.size(),
                                  .decided = decided.data(),
                                  .n_decided = decided.size(),
                                  .mask_token = e.mask,
                                  .masks_left = e.masks_left,
                                  .rows = e.rows,
                                  .settled = e.settled,
                                  .seconds = e.seconds};
    return on_step(&event, user) != 0;
  };
}

}  // namespace

unmask_status unmask_prepare(const unmask_model* model, const char* prompt,
                             const char* const* options, unmask_request** request) {
  return guarded([&] {
    given(request, "request");
    *request = new unmask_request(
        held(model, "model")
            .prepare(given(prompt, "prompt"), options_from<RequestOptions>(options)));
  });
}

unmask_status unmask_prepare_chat(const unmask_model* model, const unmask_message* messages,
                                  size_t count, const char* const* options,
                                  unmask_request** request) {
  return guarded([&] {
    given(request, "request");
    if (count > 0) given(messages, "messages");
    std::vector<Message> all;
    for (size_t i = 0; i < count; ++i) {
      all.push_back({given(messages[i].role, "role"), given(messages[i].content, "content")});
    }
    *request = new unmask_request(
        held(model, "model").prepare_chat(all, options_from<RequestOptions>(options)));
  });
}

unmask_status unmask_prepare_tokens(const unmask_model* model, const int32_t* tokens, size_t count,
                                    const char* const* options, unmask_request** request) {
  return guarded([&] {
    given(request, "request");
    if (count > 0) given(tokens, "tokens");
    *request = new unmask_request(
        held(model, "model")
            .prepare_tokens({tokens, count}, options_from<RequestOptions>(options)));
  });
}

unmask_status unmask_prepare_fill(const unmask_model* model, const char* text, const char* question,
                                  const char* const* options, unmask_request** request) {
  return guarded([&] {
    given(request, "request");
    *request = new unmask_request(held(model, "model")
                                      .prepare_fill(given(text, "text"),
                                                    options_from<RequestOptions>(options),
                                                    question == nullptr ? "" : question));
  });
}

void unmask_request_free(unmask_request* request) { free_handle(request); }

const int32_t* unmask_request_tokens(const unmask_request* request, size_t* count) {
  if (!is_valid(request)) return nullptr;
  if (count != nullptr) *count = request->value.tokens().size();
  return request->value.tokens().data();
}

unmask_status unmask_request_get_info(const unmask_request* request, unmask_request_info* info) {
  return guarded([&] {
    const Request& r = held(request, "request");
    copy_known(unmask_request_info{.size = given(info, "info")->size,
                                   .prompt_tokens = r.prompt_length(),
                                   .block_length = r.block_length(),
                                   .steps = r.steps()},
               info);
  });
}

unmask_status unmask_cancellation_new(unmask_cancellation** cancellation) {
  return guarded([&] {
    given(cancellation, "cancellation");
    *cancellation = new unmask_cancellation(Cancellation());
  });
}

unmask_status unmask_cancel(const unmask_cancellation* cancellation) {
  return guarded([&] { held(cancellation, "cancellation").cancel(); });
}

void unmask_cancellation_free(unmask_cancellation* cancellation) { free_handle(cancellation); }

unmask_status unmask_generate(const unmask_model* model, const unmask_request* request,
                              unmask_step_callback on_step, void* user,
                              const unmask_cancellation* cancellation, unmask_result** result) {
  return guarded([&] {
    given(result, "result");
    *result = new unmask_result(held(model, "model")
                                    .generate(held(request, "request"), callback_of(on_step, user),
                                              cancellation_of(cancellation)));
  });
}

unmask_status unmask_ask(const unmask_model* model, const char* prompt, const char* const* options,
                         unmask_result** result) {
  return guarded([&] {
    given(result, "result");
    *result = new unmask_result(
        held(model, "model")
            .generate(given(prompt, "prompt"), options_from<RequestOptions>(options)));
  });
}

const char* unmask_result_text(const unmask_result* result) {
  return is_valid(result) ? result->value.text.c_str() : nullptr;
}

const int32_t* unmask_result_tokens(const unmask_result* result, size_t* count) {
  if (!is_valid(result)) return nullptr;
  if (count != nullptr) *count = result->value.tokens.size();
  return result->value.tokens.data();
}

unmask_status unmask_result_get_info(const unmask_result* result, unmask_result_info* info) {
  return guarded([&] {
    const Result& r = held(result, "result");
    copy_known(unmask_result_info{.size = given(info, "info")->size,
                                  .finish = static_cast<int32_t>(r.finish),
                                  .answer_begin = r.answer.begin,
                                  .answer_end = r.answer.end,
                                  .answer_tokens = r.answer_tokens,
                                  .masks_left = r.masks_left,
                                  .steps = r.steps,
                                  .forward_passes = r.forward_passes,
                                  .rows = r.rows,
                                  .seconds = r.seconds,
                                  .seconds_to_first_text = r.seconds_to_first_text,
                                  .cached_tokens = r.cached_tokens},
               info);
  });
}

void unmask_result_free(unmask_result* result) { free_handle(result); }

unmask_status unmask_engine_new(const unmask_model* model, int32_t max_running,
                                const unmask_cancellation* cancellation, unmask_engine** engine) {
  return guarded([&] {
    given(engine, "engine");
    *engine = new unmask_engine(
        Engine(held(model, "model"),
               {.max_running = max_running, .cancellation = cancellation_of(cancellation)}));
  });
}

unmask_status unmask_engine_submit(unmask_engine* engine, const unmask_request* request,
                                   unmask_step_callback on_step, void* user, int64_t* id) {
  return guarded([&] {
    given(id, "id");
    *id = held(engine, "engine").submit(held(request, "request"), callback_of(on_step, user));
  });
}

unmask_status unmask_engine_step(unmask_engine* engine, int* more) {
  return guarded([&] {
    given(more, "more");
    *more = held(engine, "engine").step() ? 1 : 0;
  });
}

unmask_status unmask_engine_cancel(unmask_engine* engine, int64_t id) {
  return guarded([&] { held(engine, "engine").cancel(id); });
}

unmask_status unmask_engine_ended(const unmask_engine* engine, int64_t id, int* ended) {
  return guarded([&] {
    given(ended, "ended");
    *ended = held(engine, "engine").ended(id) ? 1 : 0;
  });
}

unmask_status unmask_engine_take(unmask_engine* engine, int64_t id, unmask_result** result) {
  return guarded([&] {
    given(result, "result");
    *result = new unmask_result(held(engine, "engine").take(id));
  });
}

void unmask_engine_free(unmask_engine* engine) { free_handle(engine); }
