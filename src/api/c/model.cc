#include <algorithm>
#include <cstring>

#include "api/c/handles.h"

using namespace unmask_v0;  // NOLINT(google-build-using-namespace): the C interface is all of it

namespace {

unmask_status decode(const unmask_model* model, const int32_t* tokens, size_t count,
                     bool skip_special, char* text, size_t capacity, size_t* length) {
  return guarded([&] {
    given(length, "length");
    if (capacity > 0) given(text, "text");
    if (count > 0) given(tokens, "tokens");
    const std::string found = held(model, "model").decode({tokens, count}, skip_special);
    if (capacity > 0) text[found.copy(text, capacity - 1)] = '\0';
    *length = found.size();
  });
}

}  // namespace

unmask_status unmask_model_load(const char* path, const char* const* options,
                                unmask_model** model) {
  return guarded([&] {
    given(model, "model");
    *model = new unmask_model(Model(given(path, "path"), options_from<LoadOptions>(options)));
  });
}

void unmask_model_free(unmask_model* model) { free_handle(model); }

unmask_status unmask_model_get_info(const unmask_model* model, unmask_model_info* info) {
  return guarded([&] {
    const ModelInfo& found = held(model, "model").info();
    unmask_model_info all{.size = given(info, "info")->size,
                          .vocab_size = found.vocab_size,
                          .layers = found.layers,
                          .dim = found.dim,
                          .heads = found.heads,
                          .kv_heads = found.kv_heads,
                          .max_positions = found.max_positions,
                          .threads = found.threads,
                          .mask_token = found.mask_id,
                          .parameters = found.parameters,
                          .weight_bytes = found.weight_bytes};
    copy_known(all, info);
  });
}

unmask_status unmask_encode(const unmask_model* model, const char* text, int32_t* tokens,
                            size_t capacity, size_t* count) {
  return guarded([&] {
    given(count, "count");
    if (capacity > 0) given(tokens, "tokens");
    const std::vector<Token> found = held(model, "model").encode(given(text, "text"));
    std::copy_n(found.begin(), std::min(capacity, found.size()), tokens);
    *count = found.size();
  });
}

unmask_status unmask_decode(const unmask_model* model, const int32_t* tokens, size_t count,
                            char* text, size_t capacity, size_t* length) {
  return decode(model, tokens, count, /*skip_special=*/false, text, capacity, length);
}

unmask_status unmask_decode_plain(const unmask_model* model, const int32_t* tokens, size_t count,
                                  char* text, size_t capacity, size_t* length) {
  return decode(model, tokens, count, /*skip_special=*/true, text, capacity, length);
}

unmask_status unmask_score(const unmask_model* model, const char* prompt, const char* answer,
                           int32_t samples, uint64_t seed, const unmask_cancellation* cancellation,
                           double* log_likelihood, double* standard_error) {
  return guarded([&] {
    given(log_likelihood, "log_likelihood");
    given(standard_error, "standard_error");
    const Score score =
        held(model, "model")
            .score(given(prompt, "prompt"), given(answer, "answer"),
                   {.samples = samples, .seed = seed}, cancellation_of(cancellation));
    *log_likelihood = score.log_likelihood;
    *standard_error = score.standard_error;
  });
}

unmask_status unmask_decide(const unmask_model* model, const char* state, const char* question,
                            const char* const* choices, size_t count,
                            const unmask_cancellation* cancellation, double* probabilities) {
  return guarded([&] {
    given(probabilities, "probabilities");
    Question asked{.kind = count == 0 ? QuestionKind::yes_no : QuestionKind::choice,
                   .text = given(question, "question")};
    if (count > 0) given(choices, "choices");
    for (size_t i = 0; i < count; ++i) asked.options.push_back({given(choices[i], "choices")});
    const std::vector<Answer> answers =
        held(model, "model")
            .decide(given(state, "state"), {&asked, 1}, {}, cancellation_of(cancellation));
    std::copy(answers[0].probabilities.begin(), answers[0].probabilities.end(), probabilities);
  });
}
