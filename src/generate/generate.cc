#include "generate/engine.h"

namespace unmask {

std::vector<Result> generate(Transformer& model, std::span<const Request> requests,
                             const StepCallback& on_step, EngineOptions options) {
  Engine engine(model, std::move(options));
  for (const Request& request : requests) engine.submit(request, on_step);
  while (engine.step()) {
  }
  std::vector<Result> results;
  for (size_t i = 0; i < requests.size(); ++i) {
    results.push_back(engine.take(static_cast<RequestId>(i)));
  }
  return results;
}

}  // namespace unmask
