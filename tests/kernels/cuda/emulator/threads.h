// The threads of one block as fibers that take turns on one processor. They run until they wait for
// a counter to change; which warp goes first, and which one dawdles, is drawn at random, so that
// other seeds show other orders.
#pragma once

#include <csetjmp>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <ucontext.h>
#include <vector>

namespace unmask::cuda::emulator {

/// What a kernel does that the hardware forbids, or that would hang it.
class Defect : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr int kWarp = 32;

class Threads {
 public:
  Threads(int count, uint64_t seed);
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  /// Runs `body` in every thread until all have returned. Between rounds `engine(force)` may
  /// complete what is in flight, and must, if there is anything, when forced; it returns whether it
  /// did. Throws Defect for a deadlock, and what a body throws.
  void run(const std::function<void()>& body, const std::function<bool(bool force)>& engine);

  int count() const { return static_cast<int>(fibers_.size()); }
  /// The running thread.
  int current() const { return current_; }
  /// Lets others run until `counter` is not `value` any more.
  void wait_while(const uint64_t& counter, uint64_t value);
  /// Lets others run for a random while, often none.
  void dawdle();
  /// A number below `limit`.
  int draw(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

 private:
  struct Fiber {
    std::unique_ptr<char[]> stack;
    ucontext_t start{};
    std::jmp_buf place{};
    bool started = false;
    bool done = false;
    const uint64_t* counter = nullptr;  // waits while this has the value
    uint64_t value = 0;
  };
  static void enter(unsigned high, unsigned low);
  void prepare(Fiber& fiber);
  void resume(Fiber& fiber);
  void leave(Fiber& fiber);
  bool run_warp(int warp);

  std::vector<Fiber> fibers_;
  std::minstd_rand random_;
  const std::function<void()>* body_ = nullptr;
  std::jmp_buf scheduler_{};
  std::string failure_;
  uint64_t round_ = 0;
  int current_ = 0;
  int live_ = 0;
};

}  // namespace unmask::cuda::emulator
