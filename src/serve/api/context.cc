#include "serve/api/context.h"

#include <algorithm>

#include "core/error.h"
#include "serve/api_error.h"

namespace unmask {

namespace {

double gigabytes(int64_t bytes) { return static_cast<double>(bytes) * 1e-9; }

}  // namespace

void check_model(Fields& body, const ApiContext& context) {
  const std::string name = body.text("model").value_or("");
  const bool known =
      name.empty() || name == "default" || name == context.model ||
      std::find(context.aliases.begin(), context.aliases.end(), name) != context.aliases.end();
  if (known) return;
  throw not_found(
      fmt::format("[request] model: found '{}', expected '{}'", printable(name), context.model),
      "model_not_found", "model");
}

void check_memory(std::span<const Request> requests, const ApiContext& context) {
  for (const Request& request : requests) {
    const int64_t bytes = context.costs.request_bytes(request);
    if (bytes <= context.memory_limit) continue;
    throw invalid_value(
        "max_tokens",
        fmt::format("[request] memory: a canvas of {} tokens takes {:.2f} GB, expected at most "
                    "{:.2f}",
                    request.most_tokens(), gigabytes(bytes), gigabytes(context.memory_limit)),
        "out_of_memory_plan");
  }
}

}  // namespace unmask
