// How far a generation is, and the quiet line that says so.
#pragma once

#include <chrono>
#include <optional>
#include <ostream>
#include <string>

#include "generate/engine.h"

namespace unmask {

/// Counts decided tokens over the steps of one generation.
class StepMeter {
 public:
  /// `idle_seconds`: time since the beginning that was not spent on the model.
  void add(const StepEvent& event, double idle_seconds);
  /// "step 5/16, 22 tokens left, 41.0 tok/s, 2 s left".
  std::string status() const;
  double seconds_left() const;

 private:
  int step_ = 0;
  int total_steps_ = 0;
  int decided_ = 0;
  int masks_left_ = 0;
  double seconds_ = 0;
};

/// How often work that takes hours says how far it is where there is no terminal.
inline constexpr std::chrono::milliseconds kLogInterval{10'000};

/// One line on a terminal, rewritten in place. It appears only when the work takes more than a
/// second, and leaves nothing behind.
class ProgressLine {
 public:
  /// Without a `terminal` behind `out`: whole lines, one in each `interval`, or nothing.
  ProgressLine(std::ostream& out, bool terminal,
               std::optional<std::chrono::milliseconds> interval = {})
      : out_(out), terminal_(terminal), interval_(interval) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& text);
  void clear();
  double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;

  void log(const std::string& text);

  std::ostream& out_;
  bool terminal_;
  std::optional<std::chrono::milliseconds> interval_;
  bool visible_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

}  // namespace unmask
