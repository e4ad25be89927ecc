// What the engine's thread is asked to do, and who hears of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "generate/engine.h"
#include "serve/api_error.h"

namespace unmask {

/// Names a piece of work; counts up and is never used twice.
using WorkId = int64_t;

/// What a step did to one choice of a generation: a copy, because it crosses threads.
struct Progress {
  int choice = 0;
  int step = 0;         // from 0
  int total_steps = 0;  // at most
  Range block;
  int length = 0;   // of the canvas, which may have grown
  int settled = 0;  // as in StepEvent
  int rows = 0;
  int masks_left = 0;
  double seconds = 0;  // since the choice's first step began
  std::vector<Decision> decided;
  std::vector<Alternatives> alternatives;  // of each of them, where the request asks for it
};

/// Hears of a generation, on the server's thread: any number of started and progressed, then ended
/// once for every choice, or failed.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void progressed(const Progress& progress) = 0;
  virtual void ended(int choice, Result result) = 0;
  virtual void failed(const ApiError& error) = 0;
};

/// Texts to be denoised side by side for one client.
struct Generation {
  std::vector<Request> choices;
  std::shared_ptr<Watcher> watcher;
  /// When every choice is cancelled, counted from the time of submission.
  std::optional<std::chrono::milliseconds> time_limit{};
};

/// Passes through the model without denoising, a piece at a time between the steps of others.
struct Errand {
  /// Does a piece on the engine's thread; false after the last one. May throw Error.
  std::function<bool(Transformer&)> piece;
  /// On the server's thread: all pieces are done, or what went wrong.
  std::function<void()> done;
  std::function<void(const ApiError&)> failed;
};

}  // namespace unmask
