#include "serve/api/errand_reply.h"

#include <chrono>
#include <utility>

#include "core/error.h"
#include "serve/metrics.h"
#include "serve/schedule/scheduler.h"

namespace unmask {

namespace {

using Clock = std::chrono::steady_clock;

/// What the engine's thread works on.
struct Running {
  std::unique_ptr<Passes> passes;
  int max_rows = 0;
  double seconds = 0;

  bool step(Transformer& model) {
    const auto begin = Clock::now();
    const bool more = passes->step(model, max_rows);
    seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    return more;
  }
};

/// Who waits for it; on the server's thread, and empty once somebody has answered: the engine's
/// thread may hold the last pointer to this, but none to the exchange.
struct Waiting {
  std::shared_ptr<http::Exchange> exchange;

  void reply(http::Reply reply) {
    if (const auto own = std::exchange(exchange, nullptr)) own->reply(std::move(reply));
  }
};

const char* reason(http::Gone why) {
  switch (why) {
    case http::Gone::disconnect: return "disconnect";
    case http::Gone::slow_client: return "slow_client";
    case http::Gone::stopped: break;
  }
  return "shutdown";
}

}  // namespace

void check_canvas(size_t tokens, const std::string& param, const ApiContext& context) {
  const auto most = static_cast<size_t>(context.defaults.context);
  if (tokens > most) {
    throw invalid_value(param,
                        fmt::format("[request] {}: found {} tokens with what belongs to it, "
                                    "expected at most {}",
                                    param, tokens, most),
                        "context_length_exceeded");
  }
  const int64_t bytes = context.costs.canvas_bytes(static_cast<int>(tokens));
  if (bytes <= context.memory_limit) return;
  throw invalid_value(param,
                      fmt::format("[request] memory: a pass over {} tokens takes {:.2f} GB, "
                                  "expected at most {:.2f}",
                                  tokens, static_cast<double>(bytes) * 1e-9,
                                  static_cast<double>(context.memory_limit) * 1e-9),
                      "out_of_memory_plan");
}

void ErrandPlan::begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) {
  auto running = std::make_shared<Running>(Running{std::move(passes_), desk.context.max_rows});
  auto waiting = std::make_shared<Waiting>();
  const WorkId work = desk.submit(
      Errand{.piece = [running](Transformer& model) { return running->step(model); },
             .done =
                 [running, waiting, &context = desk.context] {
                   if (!waiting->exchange) return;
                   waiting->reply(json_reply(running->passes->reply(context, running->seconds)));
                 },
             .failed = [waiting](const ApiError& error) { waiting->reply(error_reply(error)); }});
  // Answers come through the same thread later, so nothing is missed before this.
  waiting->exchange = exchange;
  exchange->on_gone([waiting, work, &desk](http::Gone why) {
    if (!std::exchange(waiting->exchange, nullptr)) return;
    desk.scheduler.cancel(work);
    desk.metrics.count_cancel(reason(why));
  });
}

}  // namespace unmask
