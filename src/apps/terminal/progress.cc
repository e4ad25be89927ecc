#include "apps/terminal/progress.h"

#include <algorithm>
#include <limits>

#include "apps/terminal/canvas.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"

namespace unmask {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{1000};
constexpr milliseconds kInterval{100};

}  // namespace

void StepMeter::add(const StepEvent& event, double idle_seconds) {
  step_ = event.step + 1;
  total_steps_ = event.total_steps;
  decided_ += static_cast<int>(event.decided.size());
  masks_left_ = event.masks_left;
  seconds_ = event.seconds - idle_seconds;
}

double StepMeter::seconds_left() const {
  // The planned steps are an upper bound when commits are dynamic; then the tokens know better.
  const double by_steps = seconds_ / step_ * (total_steps_ - step_);
  const double by_tokens =
      decided_ > 0 ? seconds_ / decided_ * masks_left_ : std::numeric_limits<double>::infinity();
  return std::min(by_steps, by_tokens);
}

std::string StepMeter::status() const {
  if (step_ == 0) return "step 0";
  return fmt::format("step {}/{}, {} token{} left, {:.1f} tok/s, {} left", step_, total_steps_,
                     masks_left_, masks_left_ == 1 ? "" : "s",
                     seconds_ > 0 ? decided_ / seconds_ : 0, format_duration(seconds_left()));
}

double ProgressLine::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void ProgressLine::log(const std::string& text) {
  const auto now = Clock::now();
  if (!interval_ || now - last_ < *interval_) return;
  last_ = now;
  out_ << "unmask: " << text << std::endl;
}

void ProgressLine::show(const std::string& text) {
  if (!terminal_) return log(text);
  const auto now = Clock::now();
  if (now - start_ < kPatience || now - last_ < kInterval) return;
  last_ = now;
  visible_ = true;
  const auto room = static_cast<size_t>(std::max(1, window_size().columns - 1));
  out_ << "\r\x1b[K" << terminal_safe(text.substr(0, room)) << std::flush;
}

void ProgressLine::clear() {
  if (visible_) out_ << "\r\x1b[K" << std::flush;
  visible_ = false;
}

}  // namespace unmask
