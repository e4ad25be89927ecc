#include "generate/engine.h"

#include <algorithm>

#include "core/error.h"
#include "core/stop.h"
#include "generate/check_stats.h"
#include "generate/row_reader.h"
#include "generate/running_request.h"

namespace unmask {

namespace {

constexpr int kUnlimited = std::numeric_limits<int>::max();

/// Generated positions before the first end token, as many as the request asks for.
Range answer_of(const Request& request, std::span<const TokenId> tokens) {
  Range answer{request.prompt_length, static_cast<int>(tokens.size())};
  if (request.answer_length > 0) {
    answer.end = std::min(answer.end, answer.begin + request.answer_length);
  }
  const auto& eos = request.eos_ids;
  for (int p = answer.begin; p < answer.end; ++p) {
    if (std::count(eos.begin(), eos.end(), tokens[static_cast<size_t>(p)]) == 0) continue;
    answer.end = p;
    break;
  }
  return answer;
}

/// Completes what the steps have counted.
void conclude(const Sequence& s, Result& r) {
  r.tokens = s.tokens();
  r.masks_left = s.masks_left();
  r.stopped_early = s.stopped_early();
  r.cancelled = s.cancelled();
  r.hurried = s.hurried();
  r.answer = answer_of(s.request(), r.tokens);
}

/// A request's part of one forward pass.
struct Pass {
  RunningRequest* of;
  size_t first;  // of its sequences in the batch; that of guidance follows
};

}  // namespace

Engine::Engine(Transformer& model, EngineOptions options)
    : model_(model), options_(std::move(options)), rows_(std::make_unique<RowReader>(model)) {
  UNMASK_CHECK(options_.max_running > 0 && options_.max_rows > 0 && options_.series_steps > 0,
               "an engine runs at least one request and one row");
}

Engine::~Engine() = default;

RequestId Engine::submit(Request request, StepCallback on_step) {
  check_request(request, model_.config());
  const int64_t bytes = options_.planned_bytes ? options_.planned_bytes(request) : 0;
  if (bytes > options_.memory_limit) {
    fail(ErrorCode::memory,
         "[memory] a canvas of {} tokens with method {}: needs {} MB, expected at most {} MB",
         request.tokens.size(), printable(request.method), (bytes + 999'999) / 1'000'000,
         options_.memory_limit / 1'000'000);
  }
  waiting_.push_back({next_id_, std::move(request), std::move(on_step), bytes});
  return next_id_++;
}

void Engine::admit() {
  while (!waiting_.empty() && static_cast<int>(running_.size()) < options_.max_running &&
         waiting_.front().bytes <= options_.memory_limit - planned_bytes_) {
    WaitingRequest next = std::move(waiting_.front());
    waiting_.pop_front();
    const RequestId id = next.id;
    try {
      auto r = std::make_unique<RunningRequest>(std::move(next), model_.config(), least_served());
      if (options_.prefixes != nullptr) {
        r->result.reused = r->sequence.resume(*options_.prefixes, model_.backend());
      }
      planned_bytes_ += r->bytes;
      running_.push_back(std::move(r));
    } catch (...) {
      ended_[id] = {{}, std::current_exception()};
    }
  }
}

int64_t Engine::least_served() const {
  const auto least =
      std::min_element(running_.begin(), running_.end(),
                       [](const auto& a, const auto& b) { return a->served < b->served; });
  return least == running_.end() ? 0 : (*least)->served;
}

void Engine::cancel(RequestId id) {
  const auto waiting = std::find_if(waiting_.begin(), waiting_.end(),
                                    [id](const WaitingRequest& w) { return w.id == id; });
  if (waiting != waiting_.end()) {
    const Request& request = waiting->request;
    const auto masks = std::count(request.tokens.begin() + request.prompt_length,
                                  request.tokens.end(), model_.config().mask_id);
    ended_[id].result = {.tokens = request.tokens,
                         .answer = answer_of(request, request.tokens),
                         .masks_left = static_cast<int>(masks),
                         .cancelled = true};
    waiting_.erase(waiting);
    return;
  }
  for (const auto& r : running_) {
    if (r->id == id) r->sequence.cancel();
  }
  collect();
}

bool Engine::step() {
  admit();
  return run(pick());
}

bool Engine::step(std::span<const RequestId> chosen) {
  admit();
  Participants participants;
  for (const RequestId id : chosen) {
    RunningRequest* const r = &find(id);
    UNMASK_CHECK(std::count(participants.begin(), participants.end(), r) == 0,
                 "a request takes a step once");
    participants.push_back(r);
  }
  return run(participants);
}

bool Engine::run(const Participants& participants) {
  Participants ready;
  for (RunningRequest* r : participants) {
    if (plan(*r)) ready.push_back(r);
  }
  try {
    compute(ready);
  } catch (const Stopped&) {
    for (RunningRequest* r : ready) {
      r->torn = true;
      r->sequence.cancel();
    }
  } catch (const LogicError&) {
    raised_ = std::current_exception();
    end(ready, raised_);
  } catch (...) {
    end(ready, std::current_exception());
  }
  collect();
  if (raised_) std::rethrow_exception(std::exchange(raised_, nullptr));
  return !running_.empty() || !waiting_.empty();
}

Engine::Participants Engine::pick() {
  Participants due;
  for (const auto& r : running_) due.push_back(r.get());
  if (options_.max_rows == kUnlimited) return due;
  std::stable_sort(due.begin(), due.end(), [](const RunningRequest* a, const RunningRequest* b) {
    return a->served < b->served;
  });
  Participants chosen;
  int64_t rows = 0;
  for (RunningRequest* r : due) {
    if (!plan(*r)) continue;
    rows += r->planned_rows();
    if (!chosen.empty() && rows > options_.max_rows) break;
    chosen.push_back(r);
  }
  return chosen;
}

int Engine::next_rows(RequestId id) {
  RunningRequest& r = find(id);
  if (!plan(r)) std::rethrow_exception(r.error);
  return r.planned_rows();
}

bool Engine::plan(RunningRequest& r) try {
  if (r.planned || r.error) return !r.error;
  SequencePass pass = r.sequence.plan();
  if (r.sequence.guided() && !pass.plan.rows.empty()) r.twin = r.sequence.plan_unconditional();
  r.planned_drafts = r.sequence.draft(pass);
  r.planned = std::move(pass);
  return true;
} catch (const LogicError&) {
  r.error = std::current_exception();
  if (!raised_) raised_ = r.error;
  return false;
} catch (...) {
  r.error = std::current_exception();
  return false;
}

void Engine::compute(const Participants& participants) {
  for (RunningRequest* r : participants) {
    if (!r->start) r->start = std::chrono::steady_clock::now();
  }
  if (participants.size() == 1 && running_.size() == 1 && take_series(*participants[0])) return;
  forward(participants);
  // Everybody takes the step before callbacks are asked: one that throws spoils nothing.
  for (RunningRequest* r : participants) {
    if (r->error || r->preparing) continue;
    r->decide();
    r->end_step(r->seconds());
    if (r->step.index == 0) keep_prefix(*r);  // others may wait with the same prompt
  }
  for (RunningRequest* r : participants) notify(*r);
  for (RunningRequest* r : participants) take_drafts(*r);
}

void Engine::forward(const Participants& participants) {
  std::vector<SequencePass> batch;
  std::vector<Pass> passes;
  for (RunningRequest* r : participants) {
    if (r->begin_pass() > 0) {
      passes.push_back({r, batch.size()});
      batch.push_back(*std::move(r->planned));
      if (r->twin) batch.push_back(*std::move(r->twin));
      r->drafts = std::move(r->planned_drafts);
      for (const Draft& draft : r->drafts) batch.push_back(draft.pass);
    }
    r->planned.reset();
    r->twin.reset();
  }
  if (batch.empty()) return;
  const Tensor hidden = model_.forward(batch);
  const std::vector<Range> rows = wanted_ranges(batch);
  std::vector<std::pair<RunningRequest*, Error>> overflowed;
  for (const Pass& pass : passes) {
    Sequence& s = pass.of->sequence;
    if (!batch[pass.first].plan.cuts.empty()) s.read_only(batch[pass.first].plan.rows);
    const Tensor own = hidden.slice(rows[pass.first]);
    // Guidance is linear in the logits and the head is linear, so it is applied before the head.
    if (s.guided()) {
      model_.backend().extrapolate(own, hidden.slice(rows[pass.first + 1]),
                                   static_cast<float>(s.request().cfg_scale + 1));
    }
    try {
      pass.of->reading = rows_->read(*pass.of, own, s.read_positions(), s.step_index());
      const size_t last = pass.first + pass.of->drafts.size();
      read_drafts(*pass.of, hidden.slice({rows[pass.first].end, rows[last].end}));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_finite) throw;
      overflowed.emplace_back(pass.of, error);
    }
  }
  for (const auto& [r, error] : overflowed) end_overflowed(*r, error);
}

void Engine::end_overflowed(RunningRequest& r, const Error& error) {
  const std::string place = place_of_overflow(model_, r.sequence.tokens());
  r.error = std::make_exception_ptr(Error(error.what() + place, error.code()));
}

bool Engine::take_series(RunningRequest& r) {
  Sequence& s = r.sequence;
  SequencePass& pass = *r.planned;
  if (pass.plan.rows.empty()) return false;
  const std::optional<SeriesPlan> plan = s.plan_series(pass.plan, options_.series_steps);
  if (!plan) return false;
  const std::unique_ptr<StepSeries> series = model_.backend().series(*plan);
  if (!series) return false;
  pass.series = series.get();
  const double begin = r.seconds();
  const std::vector<Revealed> revealed = series->run([&] {
    rows_->tiles().each(model_.forward({&pass, 1}),
                        [&](Tensor logits, int first) { series->choose(logits, first); });
  });
  // Equal steps take equal times.
  const auto steps = static_cast<int>(plan->counts.size());
  const double each = (r.seconds() - begin) / steps;
  const std::vector<int> positions = s.candidates();
  try {
    check_revealed(revealed, positions, s.step_index(), steps);
  } catch (const Error& error) {
    end_overflowed(r, error);
    return true;
  }
  const int rows = pass.plan.rows.size();
  const bool had_text = r.result.seconds_to_first_text > 0;
  r.result.forward_passes += steps;
  r.count_rows(int64_t{steps} * rows);
  r.planned.reset();
  for (int step = 0; step < steps && !s.done(); ++step) {
    std::vector<Decision> decided;
    for (size_t c = 0; c < revealed.size(); ++c) {
      const Revealed& found = revealed[c];
      if (found.step == step) decided.push_back({positions[c], found.token, found.confidence});
    }
    r.begin_step(rows);
    s.apply(std::move(decided));
    r.end_step(begin + each * (step + 1));
    notify(r);
  }
  // Steps share their time, but nothing was known here before the last, wherever the text ended.
  r.result.seconds = begin + each * steps;
  if (!had_text && r.result.seconds_to_first_text > 0) {
    r.result.seconds_to_first_text = r.result.seconds;
  }
  return true;
}

void Engine::notify(RunningRequest& r) {
  if (r.error || r.preparing || !r.on_step) return;
  const StepEvent event{.request = r.id,
                        .step = r.step.index,
                        .total_steps = r.sequence.most_steps(),
                        .block = r.step.block,
                        .tokens = r.sequence.tokens(),
                        .decided = r.sequence.decided(),
                        .alternatives = r.alternatives,
                        .rows = r.step.rows,
                        .masks_left = r.sequence.masks_left(),
                        .settled = r.sequence.settled(),
                        .moved = r.sequence.moved(),
                        .seconds = r.result.seconds};
  bool go_on = false;
  try {
    go_on = r.on_step(event);
  } catch (...) {
    if (!raised_) raised_ = std::current_exception();
  }
  if (!go_on && !r.sequence.done()) r.sequence.cancel();
}

void Engine::end(const Participants& participants, const std::exception_ptr& error) {
  for (RunningRequest* r : participants) r->error = error;
  collect();
}

void Engine::collect() {
  for (const auto& r : running_) {
    if (!r->over()) continue;
    keep_prefix(*r);
    conclude(r->sequence, r->result);
    ended_[r->id] = {r->result, r->error};
  }
  std::erase_if(running_, [this](const std::unique_ptr<RunningRequest>& r) {
    if (r->over()) planned_bytes_ -= r->bytes;
    return r->over();
  });
  if (!running_.empty()) return;
  // Whoever comes next may need little of it and much of other memory.
  model_.release_workspace();
  rows_->release();
}

void Engine::keep_prefix(RunningRequest& r) {
  if (options_.prefixes == nullptr || r.error || r.torn) return;
  try {
    r.sequence.keep(*options_.prefixes, model_.backend());
  } catch (const Error&) {  // no memory for what nobody has asked for yet
  } catch (const std::bad_alloc&) {
  }
}

RunningRequest& Engine::find(RequestId id) const {
  for (const auto& r : running_) {
    if (r->id == id) return *r;
  }
  throw LogicError(fmt::format("request {} is not running", id));
}

std::vector<RequestId> Engine::running() const {
  std::vector<RequestId> ids;
  for (const auto& r : running_) ids.push_back(r->id);
  return ids;
}

size_t Engine::waiting() const { return waiting_.size(); }

Result Engine::take(RequestId id) {
  auto ended = ended_.extract(id);
  if (ended.empty()) throw LogicError(fmt::format("request {} has not ended or was taken", id));
  if (ended.mapped().error) std::rethrow_exception(ended.mapped().error);
  return std::move(ended.mapped().result);
}

size_t Engine::state_bytes(RequestId id) const { return find(id).sequence.state_bytes(); }

size_t Engine::state_bytes() const {
  size_t sum = 0;
  for (const auto& r : running_) sum += r->sequence.state_bytes();
  return sum;
}

size_t Engine::workspace_bytes() const { return model_.workspace_bytes() + rows_->bytes(); }

}  // namespace unmask
