#include "serve/schedule/scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/stop.h"
#include "generate/prefix_pool.h"
#include "serve/metrics.h"

namespace unmask {

namespace {

constexpr int kLongestWait = 60;  // seconds that a client is told to wait at most

int64_t now_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

ApiError of_engine(const Error& error) {
  if (error.code() == ErrorCode::not_finite) {
    return {500, "server_error", "internal_error", error.what()};
  }
  return {400, "invalid_request_error",
          error.code() == ErrorCode::memory ? "out_of_memory_plan" : "invalid_value", error.what()};
}

ApiError internal(const std::exception& error) {
  return {500, "server_error", "internal_error", error.what()};
}

}  // namespace

Scheduler::Scheduler(Transformer& model, SchedulerOptions options, Metrics& metrics, Post post)
    : metrics_(metrics),
      options_(std::move(options)),
      post_(std::move(post)),
      model_(model),
      engine_(model, options_.engine),
      waiting_of_(std::max(size_t{1}, options_.owners)),
      thread_([this] { run(); }) {}

Scheduler::~Scheduler() {
  const bool told = [&] {
    const std::lock_guard lock(mutex_);
    return closed_;
  }();
  if (!told) shut_down(std::chrono::milliseconds(0), [] {});
  thread_.join();
}

WorkId Scheduler::submit(Generation generation, size_t owner) {
  return enqueue(std::move(generation), owner);
}
WorkId Scheduler::submit(Errand errand, size_t owner) { return enqueue(std::move(errand), owner); }

void Scheduler::refuse_beyond_queue(size_t owner) const {
  const int own = waiting_of_.at(owner);
  const bool has_share = options_.owners > 1 && 2 * (own + 1) > std::max(2, options_.queue);
  if (waiting_ < options_.queue && !has_share) return;
  ApiError full{429, "rate_limit_error", "queue_full",
                has_share ? fmt::format("[serve] {} requests of this key wait already, as many as "
                                        "one of several keys may have; try again later",
                                        own)
                          : fmt::format("[serve] {} requests wait already; try again later",
                                        waiting_.load())};
  const double seconds = mean_seconds_ * waiting_ / std::max(1, running_.load());
  full.retry_after = std::clamp(static_cast<int>(std::ceil(seconds)), 1, kLongestWait);
  throw full;
}

WorkId Scheduler::enqueue(std::variant<Generation, Errand> what, size_t owner) {
  auto job = std::make_shared<Job>(Job{std::move(what), owner, Clock::now()});
  const std::lock_guard lock(mutex_);
  if (closed_) throw shutting_down();
  refuse_beyond_queue(owner);
  if (waiting_ == 0 && running_ == 0) last_sign_ = now_nanoseconds();  // it was idle, not stalled
  ++waiting_;
  ++waiting_of_[owner];
  const WorkId id = next_id_++;
  inbox_.push_back({Message::Kind::add, id, 0, std::move(job)});
  arrived_.notify_one();
  return id;
}

void Scheduler::note_no_longer_waiting(const Job& job) {
  const std::lock_guard lock(mutex_);
  --waiting_;
  --waiting_of_[job.owner];
}

void Scheduler::send(Message message) {
  const std::lock_guard lock(mutex_);
  inbox_.push_back(std::move(message));
  arrived_.notify_one();
}

void Scheduler::cancel(WorkId work) { send({Message::Kind::cancel, work}); }
void Scheduler::cancel_choice(WorkId work, int choice) {
  send({Message::Kind::cancel_choice, work, choice});
}

void Scheduler::shut_down(std::chrono::milliseconds grace, std::function<void()> when_empty) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  when_empty_ = std::move(when_empty);
  Message message{Message::Kind::shut_down};
  message.end = Clock::now() + grace;
  inbox_.push_back(std::move(message));
  arrived_.notify_one();
}

double Scheduler::stalled() const {
  if (running_ == 0 && waiting_ == 0) return 0;
  return static_cast<double>(now_nanoseconds() - last_sign_) * 1e-9;
}

void Scheduler::run() {
  while (receive()) {
    last_sign_ = now_nanoseconds();
    expire();
    run_errand();
    step();
    collect();
    metrics_.set_state(running_, waiting_, engine_.state_bytes(),
                       options_.engine.prefixes ? options_.engine.prefixes->bytes() : 0);
    flush();
  }
  say(std::move(when_empty_));
  flush();
}

bool Scheduler::receive() {
  std::deque<Message> messages;
  {
    std::unique_lock lock(mutex_);
    if (jobs_.empty()) arrived_.wait(lock, [&] { return closed_ || !inbox_.empty(); });
    messages.swap(inbox_);
  }
  for (Message& message : messages) handle(message);
  const bool ends = [&] {
    const std::lock_guard lock(mutex_);
    return closed_ && inbox_.empty();
  }();
  flush();
  return !ends || !jobs_.empty();
}

void Scheduler::handle(Message& message) {
  if (message.kind == Message::Kind::add) {
    const auto added = jobs_.emplace(message.work, std::move(message.job)).first;
    start(added->first, *added->second);
  } else if (message.kind == Message::Kind::shut_down) {
    grace_end_ = message.end;
    std::vector<WorkId> waiting;
    for (const auto& [id, job] : jobs_) {
      if (!job->started) waiting.push_back(id);
    }
    for (const WorkId id : waiting) fail(id, shutting_down());
  } else if (const auto found = jobs_.find(message.work); found != jobs_.end()) {
    if (message.kind == Message::Kind::cancel) return forget(message.work);
    const Choice& choice = found->second->choices[static_cast<size_t>(message.choice)];
    if (!choice.over) engine_.cancel(choice.request);
  }
}

void Scheduler::start(WorkId id, Job& job) {
  if (std::holds_alternative<Errand>(job.what)) return errands_.push_back(id);
  const Generation& generation = std::get<Generation>(job.what);
  job.choices.resize(generation.choices.size());
  for (size_t i = 0; i < job.choices.size(); ++i) {
    const auto choice = static_cast<int>(i);
    const auto on_step = [this, choice, watcher = generation.watcher](const StepEvent& event) {
      metrics_.count_step(event);
      Progress progress{.choice = choice,
                        .step = event.step,
                        .total_steps = event.total_steps,
                        .block = event.block,
                        .length = static_cast<int>(event.tokens.size()),
                        .settled = event.settled,
                        .canvas = event.moved
                                      ? std::vector(event.tokens.begin(), event.tokens.end())
                                      : std::vector<TokenId>(),
                        .rows = event.rows,
                        .masks_left = event.masks_left,
                        .seconds = event.seconds,
                        .decided = {event.decided.begin(), event.decided.end()},
                        .alternatives = {event.alternatives.begin(), event.alternatives.end()}};
      say([watcher, progress = std::move(progress)] { watcher->progressed(progress); });
      return true;
    };
    try {
      job.choices[i].request = engine_.submit(generation.choices[i], on_step);
    } catch (const Error& error) {
      return fail(id, of_engine(error));
    }
    owners_[job.choices[i].request] = {id, choice};
  }
}

void Scheduler::note_joined() {
  for (const RequestId request : engine_.running()) {
    const auto owner = owners_.find(request);
    if (owner == owners_.end()) continue;
    Job& job = *jobs_.at(owner->second.first);
    if (std::exchange(job.started, true)) continue;
    note_no_longer_waiting(job);
    ++running_;
    metrics_.count_start(std::chrono::duration<double>(Clock::now() - job.submitted).count());
  }
}

void Scheduler::expire() {
  const auto now = Clock::now();
  std::vector<WorkId> late;
  for (const auto& [id, job] : jobs_) {
    if (!job->started && now - job->submitted > options_.queue_timeout) late.push_back(id);
    const auto* generation = std::get_if<Generation>(&job->what);
    if (generation == nullptr || !generation->time_limit) continue;
    if (now - job->submitted < *generation->time_limit) continue;
    for (const Choice& choice : job->choices) {
      if (!choice.over) engine_.cancel(choice.request);
    }
  }
  for (const WorkId id : late) {
    ApiError error{503, "server_error", "queue_timeout",
                   fmt::format("[serve] nothing was free for {} s; try again later",
                               options_.queue_timeout.count())};
    error.retry_after = kLongestWait;
    metrics_.count_refusal("timeout");
    fail(id, error);
  }
  if (now < grace_end_) return;
  std::vector<WorkId> all;
  for (const auto& [id, job] : jobs_) all.push_back(id);
  for (const WorkId id : all) fail(id, shutting_down());
}

void Scheduler::run_errand() {
  if (errands_.empty()) return;
  const WorkId id = errands_.front();
  errands_.pop_front();
  Job& job = *jobs_.at(id);
  auto& errand = std::get<Errand>(job.what);
  if (!std::exchange(job.started, true)) {
    note_no_longer_waiting(job);
    ++running_;
  }
  try {
    if (errand.piece(model_)) return errands_.push_back(id);
  } catch (const Stopped&) {
    return fail(id, shutting_down());
  } catch (const Error& error) {
    return fail(id, of_engine(error));
  } catch (const std::bad_alloc& error) {
    return fail(id, internal(error));
  }
  say(errand.done);
  forget(id);
}

void Scheduler::step() {
  if (owners_.empty()) return;
  engine_.admit();
  note_joined();
  const auto begin = Clock::now();
  const size_t running = engine_.running().size();
  engine_.step();
  metrics_.count_engine_step(std::chrono::duration<double>(Clock::now() - begin).count(), running);
}

void Scheduler::collect() {
  std::vector<std::pair<RequestId, std::pair<WorkId, int>>> ended;
  for (const auto& owner : owners_) {
    if (engine_.ended(owner.first)) ended.push_back(owner);
  }
  for (const auto& [request, owner] : ended) {
    const auto& [id, choice] = owner;
    if (!owners_.contains(request)) continue;  // its work failed a moment ago
    try {
      Result result = engine_.take(request);
      owners_.erase(request);
      Job& job = *jobs_.at(id);
      job.choices[static_cast<size_t>(choice)].over = true;
      mean_seconds_ = 0.9 * mean_seconds_ + 0.1 * result.seconds;
      metrics_.count_result(result);
      const auto& watcher = std::get<Generation>(job.what).watcher;
      say([watcher, choice = choice, result = std::move(result)]() mutable {
        watcher->ended(choice, std::move(result));
      });
      const bool all = std::all_of(job.choices.begin(), job.choices.end(),
                                   [](const Choice& c) { return c.over; });
      if (all) forget(id);
    } catch (const Error& error) {
      fail(id, of_engine(error));
    } catch (const std::bad_alloc& error) {
      fail(id, internal(error));
    }
  }
}

void Scheduler::fail(WorkId id, const ApiError& error) {
  const auto job = jobs_.at(id);
  if (auto* generation = std::get_if<Generation>(&job->what)) {
    say([watcher = generation->watcher, error] { watcher->failed(error); });
  } else {
    say([failed = std::get<Errand>(job->what).failed, error] { failed(error); });
  }
  forget(id);
}

void Scheduler::forget(WorkId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  for (const Choice& choice : found->second->choices) {
    if (choice.over || choice.request < 0 || !owners_.erase(choice.request)) continue;
    if (!engine_.ended(choice.request)) engine_.cancel(choice.request);
    try {
      engine_.take(choice.request);
    } catch (const std::exception&) {
      // Nobody asks any more how it ended.
    }
  }
  std::erase(errands_, id);
  if (found->second->started) {
    --running_;
  } else {
    note_no_longer_waiting(*found->second);
  }
  // What its callbacks hold belongs to the server's thread, where the job ends for that reason.
  say([job = std::move(found->second)] {});
  jobs_.erase(found);
}

void Scheduler::flush() {
  if (outbox_.empty()) return;
  post_([all = std::exchange(outbox_, {})] {
    for (const auto& say : all) say();
  });
}

}  // namespace unmask
