// A reply that takes passes through the model but generates nothing.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "serve/api/context.h"
#include "serve/api/envelope.h"

namespace unmask {

/// The passes of one request. Prepared on one thread, run on the engine's, told on the server's;
/// never on two at a time.
class Passes {
 public:
  virtual ~Passes() = default;
  /// Passes over at most `max_rows` rows together, or one. False after the last. Throws Error.
  virtual bool step(Transformer& model, int max_rows) = 0;
  /// The reply's body, after the last step; `seconds` is what the steps took.
  virtual Json reply(const ApiContext& context, double seconds) const = 0;
};

/// Throws ApiError for a canvas that is longer than the server allows (context_length_exceeded) or
/// whose pass does not fit into its memory (out_of_memory_plan). `param` names the text at fault.
void check_canvas(size_t tokens, const std::string& param, const ApiContext& context);

/// Runs passes, piece by piece beside the work of others, and ends with the client.
class ErrandPlan final : public Plan {
 public:
  explicit ErrandPlan(std::unique_ptr<Passes> passes) : passes_(std::move(passes)) {}
  void begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) override;
  Passes& passes() { return *passes_; }

 private:
  std::unique_ptr<Passes> passes_;
};

}  // namespace unmask
