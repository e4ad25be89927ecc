// Ends work from outside: a flag that somebody raises and that long work looks at.
#pragma once

#include <atomic>
#include <exception>

namespace unmask {

/// Comes out of work that was told to stop. Not an Error: nothing is wrong.
class Stopped : public std::exception {
 public:
  const char* what() const noexcept override { return "stopped"; }
};

/// Refers to a flag that its owner may raise at any time, from a signal handler, too. Without one,
/// work never stops.
class StopToken {
 public:
  StopToken() = default;
  explicit StopToken(const std::atomic<bool>& flag) : flag_(&flag) {}
  bool raised() const { return flag_ != nullptr && flag_->load(std::memory_order_relaxed); }

 private:
  const std::atomic<bool>* flag_ = nullptr;
};

}  // namespace unmask
