// Products of a warpgroup in flight (wgmma). An instruction is complete when all 128 threads have
// issued it; groups of them run in order at some moment after all threads have committed, and a
// thread's sums get the result when it waits. Until then they hold NaN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace unmask::cuda::emulator {

class SharedMemory;
class Threads;
enum class Fault : uint8_t;

/// One wgmma instruction as its threads must agree on it: d [64, columns] += a [64, 16] b [16,
/// columns].
struct Product {
  int columns = 0;
  uint64_t a = 0;  // descriptor; unused with fragments
  uint64_t b = 0;
  bool fragments = false;  // a comes from registers, and b is contiguous along its columns
  bool accumulate = true;
  bool operator==(const Product&) const = default;
};

class Warpgroup {
 public:
  static constexpr int kThreads = 128;

  Warpgroup() : threads_(kThreads) {}
  void fence(int thread) { member(thread).fenced = true; }
  /// `fragment`: the thread's four registers of a, read when the product runs.
  void issue(int thread, float* d, const Product& product, const uint32_t* fragment,
             SharedMemory& memory, Fault fault);
  void commit(int thread);
  /// Waits until all groups but the newest `pending` are done, and hands the thread its results.
  /// The first thread speaks for all: what it has not waited for is still being read.
  void wait(int thread, int pending, Threads& threads, SharedMemory& memory);

  bool can_run() const;
  void run_group(SharedMemory& memory, Fault fault);
  /// True when every thread has its results.
  bool idle() const;

 private:
  /// What one thread gives an instruction.
  struct Share {
    float* d = nullptr;
    const uint32_t* fragment = nullptr;
    std::vector<float> before;  // its sums, where they were at rest
  };
  struct Issued {
    Product product;
    std::vector<Share> shares;    // by thread
    std::vector<uint32_t> units;  // of shared memory that it reads
    int present = 0;
  };
  struct Group {
    size_t end = 0;  // number of the instruction behind its last
    int committed_by = 0;
  };
  struct Member {
    size_t issued = 0;              // instructions
    size_t groups = 0;              // committed
    size_t collected = 0;           // instructions whose results it has
    std::map<float*, int> writing;  // instructions in flight, by the sums they change
    bool fenced = false;
  };
  using Results = std::vector<std::vector<float>>;  // by thread
  static size_t index(int thread) { return static_cast<size_t>(thread) % kThreads; }
  Member& member(int thread) { return threads_[index(thread)]; }
  void multiply(const Issued& issued, SharedMemory& memory, Fault fault);

  std::vector<Member> threads_;
  std::deque<Issued> issued_;  // for a block's life, so that numbers stay
  std::vector<Group> groups_;
  uint64_t groups_done_ = 0;
  std::map<float*, Results> results_;  // by the sums of the first thread
};

}  // namespace unmask::cuda::emulator
