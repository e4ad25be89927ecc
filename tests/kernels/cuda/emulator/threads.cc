#include "kernels/cuda/emulator/threads.h"

namespace unmask::cuda::emulator {

namespace {
constexpr size_t kStackBytes = 64 * 1024;
}

Threads::Threads(int count, uint64_t seed)
    : fibers_(static_cast<size_t>(count)), random_(static_cast<unsigned>(seed * 2 + 1)) {
  for (Fiber& fiber : fibers_) fiber.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
}

// makecontext() passes ints only.
void Threads::enter(unsigned high, unsigned low) {
  auto* threads = reinterpret_cast<Threads*>((uintptr_t{high} << 32) | low);
  try {
    (*threads->body_)();
  } catch (const std::exception& error) {
    if (threads->failure_.empty()) threads->failure_ = error.what();
  }
  Fiber& fiber = threads->fibers_[static_cast<size_t>(threads->current_)];
  fiber.done = true;
  threads->leave(fiber);
}

void Threads::prepare(Fiber& fiber) {
  fiber.started = fiber.done = false;
  fiber.counter = nullptr;
  getcontext(&fiber.start);
  fiber.start.uc_stack.ss_sp = fiber.stack.get();
  fiber.start.uc_stack.ss_size = kStackBytes;
  fiber.start.uc_link = nullptr;
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&fiber.start, reinterpret_cast<void (*)()>(&Threads::enter), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
}

// Contexts only start a fiber: switching them saves signal masks by system calls, jumps do not.
void Threads::resume(Fiber& fiber) {
  if (_setjmp(scheduler_) != 0) return;
  if (fiber.started) _longjmp(fiber.place, 1);
  fiber.started = true;
  setcontext(&fiber.start);
}

void Threads::leave(Fiber& fiber) {
  if (_setjmp(fiber.place) == 0) _longjmp(scheduler_, 1);
}

void Threads::wait_while(const uint64_t& counter, uint64_t value) {
  if (counter != value) return;
  Fiber& fiber = fibers_[static_cast<size_t>(current_)];
  fiber.counter = &counter;
  fiber.value = value;
  leave(fiber);
}

void Threads::dawdle() {
  for (int rounds = draw(2) * draw(20); rounds > 0; --rounds) wait_while(round_, round_);
}

bool Threads::run_warp(int warp) {
  bool ran = false;
  for (int t = warp * kWarp; t < (warp + 1) * kWarp && failure_.empty(); ++t) {
    Fiber& fiber = fibers_[static_cast<size_t>(t)];
    if (fiber.done || (fiber.counter != nullptr && *fiber.counter == fiber.value)) continue;
    fiber.counter = nullptr;
    current_ = t;
    resume(fiber);
    if (fiber.done) --live_;
    ran = true;
  }
  return ran;
}

void Threads::run(const std::function<void()>& body, const std::function<bool(bool)>& engine) {
  body_ = &body;
  failure_.clear();
  live_ = count();
  for (Fiber& fiber : fibers_) prepare(fiber);
  const int warps = count() / kWarp;
  std::vector<int> nap(static_cast<size_t>(warps));
  while (live_ > 0) {
    ++round_;
    bool progress = false;
    const int first = draw(warps);
    for (int i = 0; i < warps; ++i) {
      int& rounds = nap[static_cast<size_t>((first + i) % warps)];
      if (rounds == 0 && draw(16) == 0) rounds = draw(16);
      if (rounds > 0) {
        --rounds;
        progress = true;
      } else {
        progress |= run_warp((first + i) % warps);
      }
    }
    if (!failure_.empty()) throw Defect(failure_);
    progress |= engine(!progress);
    if (!progress) {
      throw Defect("deadlock: " + std::to_string(live_) + " threads wait for what nobody does");
    }
  }
}

}  // namespace unmask::cuda::emulator
