// Neither the transformer nor a method touches memory of a backend: with memory that the host
// cannot reach, everything gives the same tokens.
#include <gtest/gtest.h>

#include "support/far_backend.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

std::unique_ptr<Backend> far_backend() {
  return std::make_unique<testing::FarBackend>(create_cpu_backend({.threads = 1}));
}

testing::LoadedModel load(const std::string& name, std::unique_ptr<Backend> backend) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, std::move(backend)};
}

TEST(FarMemoryDeathTest, EndsTheProcessThatTouchesIt) {
  const auto backend = far_backend();
  const Buffer buffer = backend->allocate(64);
  const Tensor tensor = buffer.view(1, 16);
  std::vector<float> values(16, 3);
  backend->upload(values.data(), tensor);
  values.assign(16, 0);
  backend->download(tensor.columns({4, 6}), values.data());
  EXPECT_EQ(values[1], 3);
  EXPECT_DEATH(static_cast<volatile float*>(tensor.f32())[0] = 1, "");
}

TEST(FarMemory, EveryMethodReachesTensorsThroughTheBackendOnly) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto near = load(name, create_cpu_backend({.threads = 1}));
    auto far = load(name, far_backend());
    std::vector<Request> requests;
    std::vector<std::string> methods = testing::methods_of(name);
    for (const char* method :
         {"full", "sparsed:skip=0.2,select=0.3,block=8", "sparsed:skip=0,coverage=0.8,block=8",
          "sliding-window:window=16,block=8", "streaming-llm:window=16,block=8"}) {
      methods.emplace_back(method);
    }
    for (const std::string& method : methods) {
      requests.push_back(testing::method_request(near, method, 19, 32, 16, 32));
    }
    requests.front().cfg_scale = 0.5;
    requests.back().sampler.temperature = 0.7;
    const std::vector<Result> expected = generate(near.transformer, requests);
    const std::vector<Result> results = generate(far.transformer, requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(results[i].tokens, expected[i].tokens) << name << " " << requests[i].method;
    }
  }
}

}  // namespace
}  // namespace unmask
