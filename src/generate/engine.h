// The one denoising loop. Requests join and leave it between steps.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "generate/alternatives.h"
#include "generate/request.h"
#include "model/transformer.h"

namespace unmask {

class PrefixPool;
class RowReader;
class Sequence;
struct RunningRequest;
struct WaitingRequest;

/// Names a request in its engine; counts up from 0 and is never used twice.
using RequestId = int64_t;

/// What just happened to one request.
struct StepEvent {
  RequestId request;
  int step;         // of the generation, from 0
  int total_steps;  // at most; fewer with a threshold, a factor or early stop
  Range block;
  std::span<const TokenId> tokens;  // the whole canvas after the step
  std::span<const Decision> decided;
  std::span<const Alternatives> alternatives;  // of each of them, where the request asks for it
  int rows;                                    // rows that went through the network
  int masks_left;                              // in the generated part
  int settled = 0;     // positions from the canvas's beginning on that no later step changes
  bool moved = false;  // positions changed: the canvas grew or shrank in the middle
  double seconds;  // since the request's first step began; the steps of a series share their time
};

/// Returning false cancels the request.
using StepCallback = std::function<bool(const StepEvent&)>;

struct Result {
  std::vector<TokenId> tokens;  // the whole canvas
  Range answer;                 // generated positions before the first end token
  int steps = 0;                // including steps that had nothing to decide
  int forward_passes = 0;       // guidance counts twice
  int64_t rows = 0;             // rows computed in all passes
  int masks_left = 0;           // in the generated part; 0 unless cancelled or starved of steps
  bool stopped_early = false;
  bool cancelled = false;
  int reused = 0;        // positions of the prompt that came from a PrefixPool
  bool hurried = false;  // the constraint kept the model from a longer text, which would not fit
  double seconds = 0;    // from the first step's beginning to the last step's end
  double seconds_to_first_text = 0;  // until the first generated position was decided for good
};

struct EngineOptions {
  int max_running = std::numeric_limits<int>::max();  // requests that hold state at a time
  /// Rows of one step. Who has been served least goes first; a request whose own pass is larger
  /// than this runs alone.
  int max_rows = std::numeric_limits<int>::max();
  /// Steps that a backend may take without the host (Backend::series): nobody sees or cancels them
  /// before the last. 1: none.
  int series_steps = 32;
  /// Bytes that the running requests may hold together. What does not fit waits.
  int64_t memory_limit = std::numeric_limits<int64_t>::max();
  /// Bytes that a request holds at most while it runs alone, caches and workspace. Without it every
  /// request counts as nothing.
  std::function<int64_t(const Request&)> planned_bytes{};
  /// Lets requests begin with what others before them have computed, where that is exact. Its bytes
  /// are its own. Null: every request begins anew. Outlives the engine.
  PrefixPool* prefixes = nullptr;
};

/// Denoises requests side by side, each with its own method, sampler and state; the matrix products
/// of a step are shared. On the CPU what becomes of a request does not depend on its neighbours,
/// nor on when it joined; a CUDA device may round otherwise beside others (docs/cuda.md). One
/// thread at a time.
class Engine {
 public:
  /// `model` outlives the engine, and nobody else uses it while a step runs.
  explicit Engine(Transformer& model, EngineOptions options = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Takes a request in; it joins at the next step if there is room for it, in the order of
  /// submission. Throws Error, and forgets the request, when it is impossible (check_request) or
  /// could never fit into the memory limit. `on_step` is called after each of its steps.
  RequestId submit(Request request, StepCallback on_step = {});
  /// Ends a request between two steps and frees what it held; its result is what there is by now.
  /// Nothing happens when it has ended. From within a callback return false instead.
  void cancel(RequestId id);

  /// One step of those who are due: everybody, or as many as max_rows allows. Returns false when
  /// nothing runs or waits. A step that throws ends the requests in it, see take(); logits that are
  /// no numbers end their own alone. One that is stopped (Stopped) cancels them: their results are
  /// those of the steps before. LogicError comes out here, and what a callback throws, whose
  /// request is cancelled.
  bool step();
  /// The same for a choice of running requests, each named once; throws LogicError for others.
  bool step(std::span<const RequestId> chosen);
  /// Lets waiting requests join as far as there is room, as every step does first.
  void admit();
  /// Rows that the next pass of a running request computes, guidance's twin included. Throws what
  /// planning throws; the request then ends with the next step.
  int next_rows(RequestId id);

  /// Requests that have joined and not ended, in order of joining.
  std::vector<RequestId> running() const;
  /// Requests that have not joined.
  size_t waiting() const;
  bool ended(RequestId id) const { return ended_.contains(id); }
  /// Hands out the result of a request that has ended, once. Throws what ended it when a step
  /// failed, LogicError when it has not ended or was taken.
  Result take(RequestId id);

  /// Bytes of the caches that running requests hold.
  size_t state_bytes() const;
  /// The same of one of them.
  size_t state_bytes(RequestId id) const;
  /// Bytes of activations and logits, which all requests share; none while nothing runs.
  size_t workspace_bytes() const;

 private:
  struct Ended {
    Result result;
    std::exception_ptr error;
  };
  using Participants = std::vector<RunningRequest*>;

  RunningRequest& find(RequestId id) const;
  /// Rows that the least served running request has had; 0 without one.
  int64_t least_served() const;
  /// Those who are due, the least served first.
  Participants pick();
  bool run(const Participants& participants);
  /// False when planning failed, which ends the request.
  bool plan(RunningRequest& r);
  void compute(const Participants& participants);
  /// The forward pass of a step, up to each participant's statistics.
  void forward(const Participants& participants);
  /// Ends a request whose logits are no numbers, naming the layer where that began.
  void end_overflowed(RunningRequest& r, const Error& error);
  /// Takes the planned step of a request and those after it without asking between them, as far as
  /// the backend and the plan allow. False when they do not.
  bool take_series(RunningRequest& r);
  void notify(RunningRequest& r);
  /// `hidden`: of the wanted rows of its drafts.
  void read_drafts(RunningRequest& r, Tensor hidden);
  /// Takes the steps whose canvases the last pass has evaluated, as long as each leads to the next.
  void take_drafts(RunningRequest& r);
  /// Lets the pool have what a request is done with.
  void keep_prefix(RunningRequest& r);
  void end(const Participants& participants, const std::exception_ptr& error);
  /// Moves everyone who is done to ended_.
  void collect();

  Transformer& model_;
  EngineOptions options_;
  RequestId next_id_ = 0;
  std::list<WaitingRequest> waiting_;
  std::vector<std::unique_ptr<RunningRequest>> running_;
  std::map<RequestId, Ended> ended_;
  int64_t planned_bytes_ = 0;  // of those who run
  std::unique_ptr<RowReader> rows_;
  std::exception_ptr raised_;  // by a callback or a broken promise: comes out of the present step
};

/// Denoises the requests side by side and returns their results in order; StepEvent::request is the
/// index. Throws Error when a request is impossible, before any work, and what ended a step.
std::vector<Result> generate(Transformer& model, std::span<const Request> requests,
                             const StepCallback& on_step = {}, EngineOptions options = {});

}  // namespace unmask
