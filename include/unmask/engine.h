// Many requests at a time, which join and leave between steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "unmask/model.h"

namespace unmask_v0 {

struct EngineOptions {
  int max_running = 8;            // requests that are denoised side by side at most
  int max_rows = 0;               // rows of a step, fairly shared; 0: any
  std::int64_t memory_limit = 0;  // bytes that running requests may hold together; 0: any
  Cancellation cancellation{};    // ends everything that runs or waits
};

/// Denoises requests side by side. What becomes of one does not depend on its neighbours, nor on
/// when it joined. Any thread may call anything; steps are taken one at a time.
class UNMASK_API Engine {
 public:
  explicit Engine(const Model& model, const EngineOptions& options = {});
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// Queues a request, which joins at the next step if there is room. Does not wait for a step that
  /// runs. Throws Error when it could never run, or belongs to another model.
  RequestId submit(const Request& request, StepCallback on_step = {});
  /// Ends a request before the next step; its result is what there is by then. Nothing happens when
  /// it has ended.
  void cancel(RequestId id);

  /// One step of those who run. False when nothing runs or waits. Throws Error (cancelled) when the
  /// cancellation of the options ended it; what ends one request alone comes out of take().
  bool step();
  /// Steps until nothing runs or waits.
  void run();

  bool ended(RequestId id) const;
  /// Hands out the result of a request that has ended, once. Throws what ended it, or Error
  /// (misuse) when it has not ended or was taken.
  Result take(RequestId id);
  std::size_t open() const;  // requests that have not ended

  struct UNMASK_INTERNAL Data;

 private:
  std::unique_ptr<Data> data_;
};

/// Denoises all of them and returns their results in order.
UNMASK_API std::vector<Result> generate_all(const Model& model, std::span<const Request> requests,
                                            const EngineOptions& options = {});

}  // namespace unmask_v0
