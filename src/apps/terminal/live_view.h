// The canvas on a terminal, redrawn in place after each step.
#pragma once

#include <chrono>
#include <ostream>
#include <span>
#include <vector>

#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "generate/engine.h"
#include "io/text/tokenizer.h"

namespace unmask {

class LiveView {
 public:
  struct Options {
    Range shown;  // positions of the canvas
    TokenId mask_id = -1;
    std::chrono::milliseconds step_delay{0};  // pause after each step, to watch quick models
  };

  /// Draws the canvas as it is before the first step.
  LiveView(std::ostream& terminal, const Tokenizer& tokenizer, const Request& request,
           const Options& options);
  /// Erases the view and shows the cursor again.
  ~LiveView();
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

  void show(const StepEvent& event);

 private:
  using Clock = std::chrono::steady_clock;

  void draw(std::span<const TokenId> tokens, Range block);
  /// Escape codes that bring the cursor to the first column of the view and erase it.
  std::string erase_code() const;

  std::ostream& terminal_;
  const Tokenizer& tokenizer_;
  Options options_;
  HiddenCursor cursor_;
  StepMeter meter_;
  std::vector<bool> fresh_;       // decided since the last drawing
  std::vector<int> line_widths_;  // of what stands on the terminal
  Clock::time_point drawn_{};
  std::chrono::duration<double> idle_{0};
};

}  // namespace unmask
