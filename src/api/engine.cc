#include "unmask/engine.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "api/access.h"
#include "api/translate.h"
#include "generate/engine.h"
#include "session/answer.h"

namespace unmask_v0 {

namespace {

/// A request on its way. The engine has a name of its own for it.
struct Entry {
  std::shared_ptr<const Request::Data> request{};
  StepCallback on_step{};
};

struct Ended {
  Result result{};
  std::exception_ptr error{};
};

Range range_of(unmask::Range range) { return {range.begin, range.end}; }

StepEvent event_of(RequestId id, const unmask::StepEvent& e, std::span<const Decision> decided,
                   Token mask) {
  return {.request = id,
          .step = e.step,
          .total_steps = e.total_steps,
          .block = range_of(e.block),
          .tokens = e.tokens,
          .decided = decided,
          .mask = mask,
          .rows = e.rows,
          .masks_left = e.masks_left,
          .settled = e.settled,
          .moved = e.moved,
          .seconds = e.seconds};
}

std::string text_of(const unmask::Model& model, const Request::Data& request,
                    const unmask::Result& r) {
  const int end = request.filled ? static_cast<int>(r.tokens.size()) : r.answer.end;
  const auto begin = static_cast<size_t>(request.shown_from);
  const auto shown = std::span(r.tokens).subspan(begin, static_cast<size_t>(end) - begin);
  return unmask::known_text(model.tokenizer(), shown, model.config().mask_id);
}

Result result_of(const unmask::Model& model, const Request::Data& request, unmask::Result r) {
  Result out{.text = text_of(model, request, r),
             .answer = range_of(r.answer),
             .answer_tokens = unmask::answer_tokens(request.request, r, model.config().mask_id),
             .masks_left = r.masks_left,
             .steps = r.steps,
             .forward_passes = r.forward_passes,
             .rows = r.rows,
             .seconds = r.seconds,
             .seconds_to_first_text = r.seconds_to_first_text,
             .cached_tokens = r.reused};
  const std::string_view reason = unmask::finish_reason(r);
  out.finish = reason == "stop"     ? Finish::stop
               : reason == "length" ? Finish::length
                                    : Finish::cancelled;
  out.tokens = std::move(r.tokens);
  return out;
}

unmask::EngineOptions engine_options(const EngineOptions& o, unmask::Model& model) {
  if (o.max_running < 1 || o.max_rows < 0 || o.memory_limit < 0) {
    throw Error(ErrorCode::invalid,
                "[engine] max_running, max_rows or memory_limit: found less than can be, expected "
                "1, 0 and 0 at least");
  }
  unmask::EngineOptions out{.max_running = o.max_running, .prefixes = &model.prefixes()};
  if (o.max_rows > 0) out.max_rows = o.max_rows;
  if (o.memory_limit > 0) {
    out.memory_limit = o.memory_limit;
    out.planned_bytes = [costs = model.costs()](const unmask::Request& r) {
      return costs.request_bytes(r);
    };
  }
  return out;
}

}  // namespace

struct Engine::Data {
  Data(const Model& of, const EngineOptions& o)
      : handle(of),
        model(*Access::of(of)),
        options(o),
        engine(model.model.transformer(), engine_options(o, model.model)) {}

  void take_in();
  bool report(RequestId id, const unmask::StepEvent& event);
  void end(RequestId id, Ended how);
  /// Moves those who have ended, as the engine tells them, to `ended`.
  void collect();
  void cancel_all();

  const Model handle;  // keeps the model
  Model::Data& model;
  const EngineOptions options;

  mutable std::mutex mutex;  // for what follows, never held while a step computes
  std::deque<std::pair<RequestId, Entry>> submitted;
  std::set<RequestId> unwanted;
  std::map<RequestId, Ended> ended;
  RequestId next = 0;
  size_t open = 0;  // requests that have not ended

  // Whoever has the model's turn.
  unmask::Engine engine;
  std::map<RequestId, std::pair<unmask::RequestId, Entry>> inside;
  std::exception_ptr raised;  // by a callback
};

/// What was submitted joins the engine, what was cancelled leaves it.
void Engine::Data::take_in() {
  std::deque<std::pair<RequestId, Entry>> arrived;
  std::set<RequestId> leaving;
  {
    const std::lock_guard lock(mutex);
    arrived.swap(submitted);
    leaving.swap(unwanted);
  }
  for (auto& [id, entry] : arrived) {
    const auto on_step = [this, id = id](const unmask::StepEvent& event) {
      return report(id, event);
    };
    try {
      const unmask::RequestId name = engine.submit(entry.request->request, on_step);
      inside.emplace(id, std::pair(name, std::move(entry)));
    } catch (const unmask::Error&) {
      end(id, {.error = std::current_exception()});
    }
  }
  for (const RequestId id : leaving) {
    if (const auto found = inside.find(id); found != inside.end()) {
      engine.cancel(found->second.first);
    }
  }
}

bool Engine::Data::report(RequestId id, const unmask::StepEvent& event) {
  const StepCallback& on_step = inside.at(id).second.on_step;
  if (!on_step) return true;
  std::vector<Decision> decided;
  for (const unmask::Decision& d : event.decided) {
    decided.push_back({d.position, d.token, d.confidence});
  }
  try {
    return on_step(event_of(id, event, decided, model.info.mask_id));
  } catch (...) {
    if (!raised) raised = std::current_exception();
    return false;
  }
}

void Engine::Data::end(RequestId id, Ended how) {
  const std::lock_guard lock(mutex);
  ended.emplace(id, std::move(how));
  --open;
}

void Engine::Data::collect() {
  for (auto at = inside.begin(); at != inside.end();) {
    const auto& [name, entry] = at->second;
    if (!engine.ended(name)) {
      ++at;
      continue;
    }
    Ended how;
    try {
      how.result = result_of(model.model, *entry.request, engine.take(name));
    } catch (...) {
      how.error = std::current_exception();
    }
    end(at->first, std::move(how));
    at = inside.erase(at);
  }
}

void Engine::Data::cancel_all() {
  take_in();
  for (const auto& [id, inner] : inside) engine.cancel(inner.first);
  collect();
}

Engine::Engine(const Model& model, const EngineOptions& options)
    : data_(translated([&] { return std::make_unique<Data>(model, options); })) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

RequestId Engine::submit(const Request& request, StepCallback on_step) {
  Access::request_for(data_->handle, request);
  const std::lock_guard lock(data_->mutex);
  ++data_->open;
  data_->submitted.emplace_back(data_->next, Entry{Access::of(request), std::move(on_step)});
  return data_->next++;
}

void Engine::cancel(RequestId id) {
  const std::lock_guard lock(data_->mutex);
  data_->unwanted.insert(id);
}

bool Engine::step() {
  Data& d = *data_;
  const Cancellation& cancellation = d.options.cancellation;
  const bool more = translated([&] {
    const Turn turn(d.model);
    {
      const Interruptible work(d.model, cancellation);
      d.take_in();
      d.engine.step();
      d.collect();
    }
    if (cancellation.cancelled()) d.cancel_all();
    return !d.inside.empty();
  });
  if (d.raised) std::rethrow_exception(std::exchange(d.raised, nullptr));
  if (cancellation.cancelled()) throw Error(ErrorCode::cancelled, "[engine] cancelled");
  const std::lock_guard lock(d.mutex);
  return more || !d.submitted.empty();
}

void Engine::run() {
  while (step()) {
  }
}

bool Engine::ended(RequestId id) const {
  const std::lock_guard lock(data_->mutex);
  return data_->ended.contains(id);
}

Result Engine::take(RequestId id) {
  Ended how;
  {
    const std::lock_guard lock(data_->mutex);
    const auto found = data_->ended.find(id);
    if (found == data_->ended.end()) {
      throw Error(ErrorCode::misuse, "[engine] the request has not ended, or was taken already");
    }
    how = std::move(found->second);
    data_->ended.erase(found);
  }
  return translated([&] {
    if (how.error) std::rethrow_exception(how.error);
    return std::move(how.result);
  });
}

size_t Engine::open() const {
  const std::lock_guard lock(data_->mutex);
  return data_->open;
}

Result Model::generate(const Request& request, const StepCallback& on_step,
                       const Cancellation& cancellation) const {
  Engine engine(*this, {.max_running = 1, .cancellation = cancellation});
  const RequestId id = engine.submit(request, on_step);
  try {
    engine.run();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::cancelled || !engine.ended(id)) throw;
  }
  return engine.take(id);
}

Result Model::generate(std::string_view prompt, const RequestOptions& options) const {
  return generate(prepare(prompt, options));
}

std::vector<Result> generate_all(const Model& model, std::span<const Request> requests,
                                 const EngineOptions& options) {
  Engine engine(model, options);
  std::vector<RequestId> ids;
  for (const Request& request : requests) ids.push_back(engine.submit(request));
  engine.run();
  std::vector<Result> results;
  results.reserve(ids.size());
  for (const RequestId id : ids) results.push_back(engine.take(id));
  return results;
}

}  // namespace unmask_v0
