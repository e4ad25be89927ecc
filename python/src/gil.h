// Work without the interpreter's lock, which Ctrl-C ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <pybind11/pybind11.h>
#include <thread>
#include <unmask/unmask.h>

namespace unmask::python {

/// Whether this thread works for another one: then a callback is running on it.
inline thread_local bool works_for_another = false;

/// Runs `work` on a thread of its own, while this one waits for it and for signals: an exception
/// from a signal handler (KeyboardInterrupt) raises the cancellation and comes out when the work
/// has ended. What the work throws comes out, too. Within a callback it runs on the callback's
/// thread, so that the library notices who asks.
template <typename Work>
auto interruptible(const Cancellation& cancellation, const Work& work) {
  using Value = std::invoke_result_t<Work>;
  constexpr std::chrono::milliseconds kBetweenLooks{50};
  if (works_for_another) {
    const pybind11::gil_scoped_release release;
    return work();
  }
  std::optional<Value> value;
  std::exception_ptr error;
  std::mutex mutex;
  std::condition_variable ended;
  bool over = false;
  const auto run = [&] {
    works_for_another = true;
    try {
      value.emplace(work());
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    over = true;
    ended.notify_one();
  };
  std::exception_ptr interrupt;
  {
    const pybind11::gil_scoped_release release;
    std::thread thread(run);
    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, kBetweenLooks, [&] { return over; })) {
      lock.unlock();
      {
        const pybind11::gil_scoped_acquire acquire;
        if (!interrupt && PyErr_CheckSignals() != 0) {
          interrupt = std::make_exception_ptr(pybind11::error_already_set());
          cancellation.cancel();
        }
      }
      lock.lock();
    }
    lock.unlock();
    thread.join();
  }
  if (interrupt) std::rethrow_exception(interrupt);
  if (error) std::rethrow_exception(error);
  return std::move(*value);
}

}  // namespace unmask::python
