// What many models do to one process: nothing stays behind, and none disturbs another.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <thread>

#include "api/demo.h"
#include "unmask/c.h"

namespace unmask {
namespace {

using testing::kQuestion;
using testing::load_demo;

/// Loads in milliseconds.
constexpr const char* kTinyModel = UNMASK_GOLDEN_DIRECTORY "/gguf-llada-tiny/model.gguf";

/// What a process holds. Sanitizers allocate by themselves, so that `bytes` hardly moves under
/// them, and look for leaks when the process ends.
struct Held {
  std::ptrdiff_t files;
  std::ptrdiff_t threads;
  std::ptrdiff_t bytes;
};

Held held() {
  const auto entries = [](const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), {});
  };
  const struct mallinfo2 memory = mallinfo2();
  return {entries("/proc/self/fd"), entries("/proc/self/task"),
          static_cast<std::ptrdiff_t>(memory.uordblks + memory.hblkhd)};
}

/// Whether `work` may be done a thousand times. The first ones fill what is kept once.
template <typename Work>
void expect_nothing_left_by(const Work& work) {
  for (int i = 0; i < 10; ++i) work();
  const Held before = held();
  for (int i = 0; i < 1000; ++i) work();
  const Held after = held();
  EXPECT_EQ(after.files, before.files);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_LT(after.bytes - before.bytes, 64'000);  // not even 64 bytes a time
}

TEST(ApiProcess, AThousandModelsLeaveNothingBehind) {
  expect_nothing_left_by([] {
    const Model model(kTinyModel, {.threads = 2});
    EXPECT_GT(model.info().parameters, 0);
  });
}

TEST(ApiProcess, AThousandModelsInCLeaveNothingBehind) {
  expect_nothing_left_by([] {
    const char* const options[] = {"threads=2", nullptr};
    unmask_model* model = nullptr;
    EXPECT_EQ(unmask_model_load(kTinyModel, options, &model), UNMASK_OK);
    unmask_model_free(model);
    EXPECT_EQ(unmask_model_load("no/such/model", options, &model), UNMASK_INVALID);
  });
}

TEST(ApiProcess, ModelsWithOtherSettingsDoNotDisturbEachOther) {
  struct Case {
    LoadOptions load;
    RequestOptions request;
  };
  const std::vector<Case> cases{
      {{.dtype = "int8", .threads = 1}, {.preset = "exact", .gen_length = 16}},
      {{.dtype = "f32", .threads = 2}, {.temperature = 1.0, .seed = 5, .method = "sparsed"}},
      {{.dtype = "bf16", .threads = 2}, {.preset = "fast"}},
  };
  std::vector<std::vector<Token>> alone;
  for (const Case& c : cases) {
    const Model model = load_demo(c.load);
    alone.push_back(model.generate(model.prepare(kQuestion, c.request)).tokens);
  }
  EXPECT_NE(alone[0], alone[1]);
  // Loaded side by side, they answer at the same time, again and again.
  std::vector<std::vector<Token>> together(cases.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < cases.size(); ++i) {
    threads.emplace_back([&, i] {
      const Model model = load_demo(cases[i].load);
      const Request request = model.prepare(kQuestion, cases[i].request);
      for (int repeated = 0; repeated < 3; ++repeated) {
        together[i] = model.generate(request).tokens;
        if (together[i] != alone[i]) break;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, alone);
}

}  // namespace
}  // namespace unmask
