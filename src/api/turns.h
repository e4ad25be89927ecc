// Who may compute with a model: one thread at a time, in the order in which they asked.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "unmask/model.h"

namespace unmask_v0 {

class Turns {
 public:
  /// Waits. Throws Error (misuse) when this thread has the turn already, as a callback has.
  void begin();
  void end();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_ = 0;
  uint64_t serving_ = 0;
  std::thread::id owner_;
};

class Turn {
 public:
  /// Throws as Turns::begin.
  explicit Turn(Model::Data& model);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns& turns_;
};

/// Work that a cancellation ends in its midst: it raises the flag that the model's backend looks
/// at. Within a turn.
class Interruptible {
 public:
  Interruptible(Model::Data& model, const Cancellation& cancellation);
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  std::atomic<bool>& stop_;
  const Cancellation cancellation_;
};

}  // namespace unmask_v0
