// One block of threads at work: shared memory, barriers, copies and products in flight. The
// instructions (instructions.h) are thin calls into it.
//
// Asynchronous work lands at random moments between being asked for and being waited for. On top of
// that, shared memory knows who is using it, so that races are found even where they do no harm:
// what a copy has not finished may not be read, what a product or a store still reads may not be
// written, and what threads wrote is not seen by the engines before a fence.
#pragma once

#include <array>
#include <deque>
#include <map>

#include "kernels/cuda/emulator/faults.h"
#include "kernels/cuda/emulator/threads.h"
#include "kernels/cuda/emulator/warpgroup.h"
#include "kernels/cuda/tensor_box.h"

namespace unmask::cuda::emulator {

/// Shared memory in units of 16 bytes, the grain of all asynchronous work.
class SharedMemory {
 public:
  explicit SharedMemory(size_t bytes);

  /// Checks that [address, address + bytes) lies inside and is aligned to `bytes`.
  uint8_t* at(uint32_t address, uint32_t bytes);
  float bf16(uint32_t address);

  enum class Use : uint8_t { landing, reading };
  void begin(Use use, const std::vector<uint32_t>& units);
  void end(Use use, const std::vector<uint32_t>& units);
  /// By a thread; throws Defect where an engine is at work.
  void check_write(uint32_t address);
  void check_read(uint32_t address);
  void wrote(int thread, uint32_t address);
  void fence(int thread);

 private:
  std::vector<uint8_t> bytes_;
  std::vector<uint16_t> landing_;
  std::vector<uint16_t> reading_;
  std::vector<int> unfenced_;  // 1 + the thread that wrote the unit, 0 after its fence
};

/// Byte address with the swizzle of 128 bytes: bits 4 to 6 are changed by bits 7 to 9.
constexpr uint32_t swizzled(uint32_t address) { return address ^ ((address >> 7 & 7) << 4); }

/// Threads meet: the last one to come acts for all.
struct Meeting {
  int present = 0;
  uint64_t generation = 0;
};

struct MBarrier {
  int arrivals = 0;  // of a phase; 0: not initialised
  int pending = 0;
  int64_t bytes = 0;
  uint64_t phase = 0;
};

class Block {
 public:
  struct Shape {
    int threads = 0;
    uint32_t shared_bytes = 0;
    int index = 0;
    int grid = 0;
  };
  Block(const Shape& shape, Fault fault, uint64_t seed);
  void run(const std::function<void()>& body);
  /// The one that runs.
  static Block& current();

  const Shape& shape() const { return shape_; }
  Fault fault() const { return fault_; }
  Threads& threads() { return threads_; }
  SharedMemory& memory() { return memory_; }

  /// All lanes of a warp give a T and go on after the last one has run act(array of 32 T*).
  template <typename T, typename Act>
  void warp_together(std::string_view what, T& mine, const Act& act);
  void barrier(int id, int threads, bool wait);
  void fence();

  MBarrier& mbarrier(uint32_t address);
  void mbarrier_init(uint32_t address, int arrivals);
  void mbarrier_arrive(uint32_t address, uint32_t bytes);
  void mbarrier_wait(uint32_t address, uint32_t parity);

  void tma_load(uint32_t to, const TensorBoxes& map, uint32_t barrier, int column, int row,
                int head);
  void tma_store(uint32_t from, const TensorBoxes& map, int column, int row, int head);
  void tma_store_wait();
  void cp_async(uint32_t to, const void* from, bool clear);
  void cp_async_commit();
  void cp_async_wait(int pending);

  Warpgroup& warpgroup() { return warpgroups_[static_cast<size_t>(threads_.current() / 128)]; }
  void product(float* d, const Product& instruction, const uint32_t* fragment);
  void product_wait(int pending);
  void move_registers(int registers);

 private:
  struct Copy {
    int thread = 0;
    std::vector<uint32_t> units;
    std::function<void()> land;
  };
  struct SmallCopy {
    uint32_t to = 0;
    std::array<uint8_t, 16> data{};
  };
  using SmallCopies = std::vector<SmallCopy>;
  struct Warp {
    Meeting meeting;
    std::string_view what;
    std::array<void*, kWarp> given{};
  };
  bool land_something(bool force);
  void land_small(const SmallCopies& group);
  void finish_phase(MBarrier& barrier);
  void check_finished() const;

  Shape shape_;
  Fault fault_;
  Threads threads_;
  SharedMemory memory_;
  std::map<uint32_t, MBarrier> mbarriers_;
  std::array<Meeting, 16> barriers_{};
  std::vector<Warp> warps_;
  std::vector<Warpgroup> warpgroups_;
  std::vector<Copy> loads_;
  std::vector<Copy> stores_;
  std::vector<std::deque<SmallCopies>> small_copies_;  // by thread, the last group still open
  int free_registers_ = 0;
  uint64_t register_moves_ = 0;
  std::vector<int> registers_;
};

template <typename T, typename Act>
void Block::warp_together(std::string_view what, T& mine, const Act& act) {
  Warp& warp = warps_[static_cast<size_t>(threads_.current() / kWarp)];
  if (warp.meeting.present > 0 && warp.what != what) {
    throw Defect("a warp diverges between " + std::string(warp.what) + " and " + std::string(what));
  }
  warp.what = what;
  warp.given[static_cast<size_t>(threads_.current() % kWarp)] = &mine;
  const uint64_t generation = warp.meeting.generation;
  if (++warp.meeting.present < kWarp) {
    threads_.wait_while(warp.meeting.generation, generation);
    return;
  }
  std::array<T*, kWarp> all{};
  for (size_t i = 0; i < kWarp; ++i) all[i] = static_cast<T*>(warp.given[i]);
  act(all);
  warp.meeting.present = 0;
  ++warp.meeting.generation;
}

}  // namespace unmask::cuda::emulator
