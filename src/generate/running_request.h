// What the engine knows of a request before it joins and while it runs.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "generate/alternatives.h"
#include "generate/engine.h"
#include "generate/sequence.h"

namespace unmask {

/// A request that has not joined yet.
struct WaitingRequest {
  RequestId id;
  Request request;
  StepCallback on_step;
  int64_t bytes;  // planned
};

struct RunningRequest {
  RunningRequest(WaitingRequest&& w, const ModelConfig& config, int64_t served)
      : id(w.id),
        sequence(std::move(w.request), config),
        on_step(std::move(w.on_step)),
        bytes(w.bytes),
        n_layers(config.n_layers),
        served(served) {
    if (const auto& rule = sequence.request().sampler.credit) credit.emplace(*rule);
  }

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - *start).count();
  }
  bool over() const { return error || sequence.done(); }
  int passes() const { return planned->plan.rows.empty() ? 0 : (twin ? 2 : 1); }
  int planned_rows() const {
    const int own = planned->plan.mean_rows(n_layers);
    const auto drafts = static_cast<int>(planned_drafts.size());
    return own * (1 + drafts) + (twin ? twin->plan.mean_rows(n_layers) : 0);
  }
  void count_rows(int64_t rows) {
    result.rows += rows;
    served += rows;
  }
  /// Notes where the sequence stands before it applies a step that computed `rows`, those of passes
  /// that prepared it aside.
  void begin_step(int rows) {
    step = {.index = sequence.step_index(),
            .block = sequence.step().block,
            .rows = rows + std::exchange(prepared_rows, 0)};
  }
  /// Counts the planned pass and returns its rows.
  int begin_pass() {
    const int rows = planned_rows();
    preparing = planned->plan.prepares;
    if (preparing) {
      prepared_rows += rows;
    } else {
      begin_step(rows);
    }
    count_rows(rows);
    result.forward_passes += passes();
    return rows;
  }
  /// Counts the step it has applied.
  void end_step(double seconds_now) {
    result.steps = sequence.step_index();
    result.seconds = seconds_now;
    const int first = sequence.request().prompt_length;
    if (result.seconds_to_first_text == 0 && sequence.settled() > first) {
      result.seconds_to_first_text = seconds_now;
    }
  }

  /// Decides from what the pass has brought.
  void decide();

  RequestId id;
  Sequence sequence;
  StepCallback on_step;
  int64_t bytes;   // planned
  int n_layers;    // of the model
  int64_t served;  // rows, from those of the least served at the time of joining
  Result result;
  std::optional<std::chrono::steady_clock::time_point> start;  // of the first step
  std::optional<SequencePass> planned;                         // the next pass
  std::optional<SequencePass> twin;                            // its unconditional half
  std::vector<Draft> planned_drafts;                           // and what goes behind it
  RowReading reading;                                          // of the present pass
  std::vector<Draft> drafts;                                   // that it evaluated
  std::optional<Credit> credit;
  std::vector<Alternatives> alternatives;  // of what the last step decided
  struct {
    int index = 0;
    Range block;
    int rows = 0;
  } step;                    // the last one
  bool preparing = false;    // the last pass came before its step
  int prepared_rows = 0;     // of such passes, since the last step
  bool torn = false;         // stopped in the midst of a pass
  std::exception_ptr error;  // that ends the request
};

}  // namespace unmask
