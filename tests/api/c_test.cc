#include "unmask/c.h"

#include <algorithm>
#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

#include "api/demo.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using testing::kAnswer;
using testing::kQuestion;

/// With its size, as callers say it.
template <typename Info>
Info empty() {
  Info info{};
  info.size = sizeof info;
  return info;
}

class CApi : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* const options[] = {"threads=2", nullptr};
    ASSERT_EQ(unmask_model_load(UNMASK_DEMO_DIRECTORY, options, &model), UNMASK_OK);
  }
  static void TearDownTestSuite() { unmask_model_free(model); }

  static unmask_request* prepare(const char* const* options = nullptr) {
    unmask_request* request = nullptr;
    EXPECT_EQ(unmask_prepare(model, kQuestion.c_str(), options, &request), UNMASK_OK);
    return request;
  }

  static unmask_model* model;
};
unmask_model* CApi::model = nullptr;

constexpr const char* kSlowOptions[] = {"preset=exact", "gen_length=64", "early_stop=false",
                                        nullptr};

TEST_F(CApi, AnswersAQuestion) {
  unmask_result* result = nullptr;
  ASSERT_EQ(unmask_ask(model, kQuestion.c_str(), nullptr, &result), UNMASK_OK);
  EXPECT_EQ(unmask_result_text(result), kAnswer);
  auto info = empty<unmask_result_info>();
  ASSERT_EQ(unmask_result_get_info(result, &info), UNMASK_OK);
  EXPECT_EQ(info.finish, UNMASK_FINISH_STOP);
  EXPECT_EQ(info.masks_left, 0);
  size_t count = 0;
  const int32_t* tokens = unmask_result_tokens(result, &count);
  ASSERT_GT(count, static_cast<size_t>(info.answer_end));
  std::array<char, 64> text{};
  size_t length = 0;
  ASSERT_EQ(unmask_decode(model, tokens + info.answer_begin,
                          static_cast<size_t>(info.answer_end - info.answer_begin), text.data(),
                          text.size(), &length),
            UNMASK_OK);
  EXPECT_EQ(std::string(text.data(), length), kAnswer);
  unmask_result_free(result);
}

TEST_F(CApi, InfoHasAsMuchAsTheCallerKnows) {
  auto info = empty<unmask_model_info>();
  ASSERT_EQ(unmask_model_get_info(model, &info), UNMASK_OK);
  EXPECT_EQ(info.vocab_size, 2048);
  EXPECT_GT(info.weight_bytes, 0);
  unmask_model_info older{};
  older.size = offsetof(unmask_model_info, layers);
  older.layers = -7;
  ASSERT_EQ(unmask_model_get_info(model, &older), UNMASK_OK);
  EXPECT_EQ(older.vocab_size, 2048);
  EXPECT_EQ(older.layers, -7);
  unmask_model_info forgotten{};
  EXPECT_EQ(unmask_model_get_info(model, &forgotten), UNMASK_MISUSE);
}

TEST_F(CApi, BuffersMayBeTooSmall) {
  size_t count = 0;
  ASSERT_EQ(unmask_encode(model, "The code of", nullptr, 0, &count), UNMASK_OK);
  ASSERT_GT(count, 1U);
  std::vector<int32_t> tokens(count, -1);
  ASSERT_EQ(unmask_encode(model, "The code of", tokens.data(), 1, &count), UNMASK_OK);
  EXPECT_EQ(tokens[1], -1);
  ASSERT_EQ(unmask_encode(model, "The code of", tokens.data(), count, &count), UNMASK_OK);
  std::array<char, 4> text{'x', 'x', 'x', 'x'};
  size_t length = 0;
  ASSERT_EQ(unmask_decode(model, tokens.data(), count, text.data(), text.size(), &length),
            UNMASK_OK);
  EXPECT_EQ(length, 11U);
  EXPECT_STREQ(text.data(), "The");
}

TEST_F(CApi, ARequestShowsItsCanvas) {
  unmask_request* request = prepare(kSlowOptions);
  auto info = empty<unmask_request_info>();
  ASSERT_EQ(unmask_request_get_info(request, &info), UNMASK_OK);
  size_t count = 0;
  const int32_t* tokens = unmask_request_tokens(request, &count);
  ASSERT_EQ(count, static_cast<size_t>(info.prompt_tokens) + 64);
  auto about = empty<unmask_model_info>();
  ASSERT_EQ(unmask_model_get_info(model, &about), UNMASK_OK);
  EXPECT_EQ(std::count(tokens, tokens + count, about.mask_token), 64);
  EXPECT_EQ(info.steps, 64);
  EXPECT_GT(info.block_length, 0);
  // the prompt begins and ends with special tokens
  std::array<char, 512> all{};
  std::array<char, 512> plain{};
  size_t length = 0;
  const auto prompt = static_cast<size_t>(info.prompt_tokens);
  ASSERT_EQ(unmask_decode(model, tokens, prompt, all.data(), all.size(), &length), UNMASK_OK);
  ASSERT_EQ(unmask_decode_plain(model, tokens, prompt, plain.data(), plain.size(), &length),
            UNMASK_OK);
  EXPECT_NE(std::string(all.data()).find("<|"), std::string::npos);
  EXPECT_EQ(std::string(plain.data()).find("<|"), std::string::npos);
  EXPECT_NE(std::string(plain.data()).find(kQuestion.substr(0, 20)), std::string::npos);
  unmask_request_free(request);
  EXPECT_EQ(unmask_request_tokens(nullptr, &count), nullptr);
  EXPECT_EQ(unmask_request_get_info(nullptr, &info), UNMASK_MISUSE);
}

TEST_F(CApi, StepsAreWatchedAndEnded) {
  unmask_request* request = prepare(kSlowOptions);
  unmask_result* result = nullptr;
  int steps = 0;
  const auto on_step = [](const unmask_step_event* event, void* user) {
    EXPECT_EQ(event->step, *static_cast<int*>(user));
    EXPECT_EQ(event->n_decided, 1U);
    return ++*static_cast<int*>(user) < 5 ? 1 : 0;
  };
  ASSERT_EQ(unmask_generate(model, request, on_step, &steps, nullptr, &result), UNMASK_OK);
  EXPECT_EQ(steps, 5);
  auto info = empty<unmask_result_info>();
  ASSERT_EQ(unmask_result_get_info(result, &info), UNMASK_OK);
  EXPECT_EQ(info.finish, UNMASK_FINISH_CANCELLED);
  unmask_result_free(result);
  unmask_request_free(request);
}

TEST_F(CApi, AnotherThreadCancels) {
  unmask_cancellation* cancellation = nullptr;
  ASSERT_EQ(unmask_cancellation_new(&cancellation), UNMASK_OK);
  unmask_request* request = prepare(kSlowOptions);
  unmask_engine* engine = nullptr;
  ASSERT_EQ(unmask_engine_new(model, 4, cancellation, &engine), UNMASK_OK);
  int64_t id = -1;
  ASSERT_EQ(unmask_engine_submit(engine, request, nullptr, nullptr, &id), UNMASK_OK);
  int more = 0;
  ASSERT_EQ(unmask_engine_step(engine, &more), UNMASK_OK);
  EXPECT_EQ(more, 1);
  std::thread([&] { unmask_cancel(cancellation); }).join();
  EXPECT_EQ(unmask_engine_step(engine, &more), UNMASK_CANCELLED);
  EXPECT_THAT(unmask_error_message(), HasSubstr("cancelled"));
  int ended = 0;
  ASSERT_EQ(unmask_engine_ended(engine, id, &ended), UNMASK_OK);
  EXPECT_EQ(ended, 1);
  unmask_result* result = nullptr;
  ASSERT_EQ(unmask_engine_take(engine, id, &result), UNMASK_OK);
  EXPECT_NE(unmask_result_text(result), nullptr);
  unmask_result_free(result);
  unmask_engine_free(engine);
  unmask_request_free(request);
  unmask_cancellation_free(cancellation);
}

TEST_F(CApi, EnginesAnswerManyAndCancelOne) {
  unmask_engine* engine = nullptr;
  ASSERT_EQ(unmask_engine_new(model, 4, nullptr, &engine), UNMASK_OK);
  unmask_request* request = prepare();
  std::array<int64_t, 3> ids{};
  for (int64_t& id : ids) {
    ASSERT_EQ(unmask_engine_submit(engine, request, nullptr, nullptr, &id), UNMASK_OK);
  }
  ASSERT_EQ(unmask_engine_cancel(engine, ids[1]), UNMASK_OK);
  int more = 1;
  while (more != 0) ASSERT_EQ(unmask_engine_step(engine, &more), UNMASK_OK);
  for (const int64_t id : ids) {
    unmask_result* result = nullptr;
    ASSERT_EQ(unmask_engine_take(engine, id, &result), UNMASK_OK);
    EXPECT_EQ(unmask_result_text(result) == kAnswer, id != ids[1]);
    unmask_result_free(result);
  }
  unmask_result* twice = nullptr;
  EXPECT_EQ(unmask_engine_take(engine, ids[0], &twice), UNMASK_MISUSE);
  unmask_request_free(request);
  unmask_engine_free(engine);
}

TEST_F(CApi, PreparesEveryKindOfRequest) {
  unmask_request* request = nullptr;
  const unmask_message messages[] = {{"user", "Hello"}, {"assistant", "Hi"}, {"user", "Who?"}};
  ASSERT_EQ(unmask_prepare_chat(model, messages, 3, nullptr, &request), UNMASK_OK);
  unmask_request_free(request);
  const int32_t tokens[] = {1, 2, 3};
  ASSERT_EQ(unmask_prepare_tokens(model, tokens, 3, nullptr, &request), UNMASK_OK);
  unmask_request_free(request);
  ASSERT_EQ(unmask_prepare_fill(model, "The ___ of", "What?", nullptr, &request), UNMASK_OK);
  unmask_request_free(request);
}

TEST_F(CApi, DecidesAndScores) {
  std::array<double, 3> p{};
  const char* const choices[] = {"an otter", "an owl", "a fox"};
  ASSERT_EQ(unmask_decide(model, "It was late.", "Who?", choices, 3, nullptr, p.data()), UNMASK_OK);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-9);
  ASSERT_EQ(unmask_decide(model, "It was late.", "Late?", nullptr, 0, nullptr, p.data()),
            UNMASK_OK);
  EXPECT_NEAR(p[0] + p[1], 1, 1e-9);
  double log_likelihood = 1;
  double error = -1;
  ASSERT_EQ(unmask_score(model, kQuestion.c_str(), kAnswer.c_str(), 16, 0, nullptr, &log_likelihood,
                         &error),
            UNMASK_OK);
  EXPECT_LT(log_likelihood, 0);
  EXPECT_GE(error, 0);
}

TEST_F(CApi, SaysWhatIsWrong) {
  unmask_model* none = nullptr;
  EXPECT_EQ(unmask_model_load("no/such/model", nullptr, &none), UNMASK_INVALID);
  EXPECT_THAT(unmask_error_message(), HasSubstr("no/such/model"));
  EXPECT_EQ(none, nullptr);
  unmask_request* request = nullptr;
  for (const char* option : {"gen_length", "gen_length=x", "colour=blue"}) {
    const char* const options[] = {option, nullptr};
    EXPECT_EQ(unmask_prepare(model, "Hi", options, &request), UNMASK_INVALID);
    EXPECT_THAT(unmask_error_message(), HasSubstr("[options]"));
  }
  EXPECT_EQ(request, nullptr);
  std::string message = "of this thread";
  std::thread([&] { message = unmask_error_message(); }).join();
  EXPECT_EQ(message, "");
}

TEST_F(CApi, NoticesWrongHandles) {
  unmask_request* request = prepare();
  auto* wrong_model = reinterpret_cast<unmask_model*>(request);
  auto* wrong_request = reinterpret_cast<unmask_request*>(model);
  auto* wrong_engine = reinterpret_cast<unmask_engine*>(request);
  auto* wrong_result = reinterpret_cast<unmask_result*>(request);
  auto* wrong_cancellation = reinterpret_cast<unmask_cancellation*>(request);
  unmask_result* result = nullptr;
  for (unmask_model* m : {wrong_model, static_cast<unmask_model*>(nullptr)}) {
    size_t count = 0;
    EXPECT_EQ(unmask_encode(m, "x", nullptr, 0, &count), UNMASK_MISUSE);
    EXPECT_EQ(unmask_generate(m, request, nullptr, nullptr, nullptr, &result), UNMASK_MISUSE);
    EXPECT_THAT(unmask_error_message(), HasSubstr("model"));
  }
  EXPECT_EQ(unmask_generate(model, wrong_request, nullptr, nullptr, nullptr, &result),
            UNMASK_MISUSE);
  EXPECT_EQ(unmask_generate(model, request, nullptr, nullptr, wrong_cancellation, &result),
            UNMASK_MISUSE);
  int more = 0;
  EXPECT_EQ(unmask_engine_step(wrong_engine, &more), UNMASK_MISUSE);
  EXPECT_EQ(unmask_result_text(wrong_result), nullptr);
  EXPECT_EQ(unmask_result_tokens(wrong_result, nullptr), nullptr);
  EXPECT_EQ(unmask_generate(model, request, nullptr, nullptr, nullptr, nullptr), UNMASK_MISUSE);
  EXPECT_EQ(unmask_cancel(nullptr), UNMASK_MISUSE);
  EXPECT_EQ(unmask_model_load(nullptr, nullptr, &wrong_model), UNMASK_MISUSE);
  // Freeing looks, too.
  unmask_model_free(reinterpret_cast<unmask_model*>(request));
  unmask_model_free(nullptr);
  unmask_request_free(request);
}

}  // namespace
}  // namespace unmask
