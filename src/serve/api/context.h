// What every endpoint knows of the server: the model's files, the rules, the names.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serve/generation_fields.h"
#include "serve/http/exchange.h"
#include "serve/schedule/scheduler.h"
#include "session/constraints.h"
#include "session/costs.h"
#include "session/decisions/calibration.h"
#include "session/model_files.h"

namespace unmask {

class Metrics;
class Streams;

/// How questions with fixed answers are asked.
struct DecisionSetup {
  std::shared_ptr<const Decider> decider{};  // nothing: the model cannot be asked
  std::string obstacle{};                    // why it cannot
  std::optional<DecisionCalibration> calibration{};
};

/// Fixed once the server runs; any thread.
struct ApiContext {
  ModelFiles files;
  std::shared_ptr<Constraints> constraints = std::make_shared<Constraints>(files);
  Costs costs;
  ServeDefaults defaults;
  int64_t memory_limit = 0;  // bytes that running requests may hold together
  int slots = 8;             // choices that run side by side
  int max_rows = 1024;       // of an errand's piece
  DecisionSetup decisions{};
  std::string model;  // the name that the model is served under
  std::vector<std::string> aliases{};
  std::string version{};
  std::string fingerprint{};
  std::time_t created = 0;
};

/// What answering needs besides; on the server's thread.
struct Desk {
  const ApiContext& context;
  Scheduler& scheduler;
  Metrics& metrics;
  Streams& streams;
  size_t owner = 0;  // of the work, for the scheduler: whose key came with the request

  template <typename Work>
  WorkId submit(Work work) const {
    return scheduler.submit(std::move(work), owner);
  }
};

/// An answer that takes the engine. Made on the preparation thread, begun on the server's.
class Plan {
 public:
  virtual ~Plan() = default;
  /// Takes the exchange over and ends it some time. Throws ApiError when nothing has been sent.
  virtual void begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) = 0;
};

/// What preparing a request led to: a whole reply, or a plan.
struct Prepared {
  http::Reply reply{};
  std::unique_ptr<Plan> plan{};
};

/// Throws ApiError (model_not_found) unless `body` names the served model, or none.
void check_model(Fields& body, const ApiContext& context);

/// Throws ApiError (out_of_memory_plan) when the choices of a request could never run.
void check_memory(std::span<const Request> requests, const ApiContext& context);

}  // namespace unmask
