#include "kernels/cuda/emulator/block.h"

#include <cstring>
#include <limits>
#include <utility>

#include "core/dtype.h"

namespace unmask::cuda::emulator {

namespace {

Block* running = nullptr;  // instructions are free functions, as on a device

constexpr int kRegisterFile = 65536;
constexpr uint32_t kUnit = 16;

std::string hex(uint32_t address) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", address);
  return text;
}

}  // namespace

Block::Block(const Shape& shape, Fault fault, uint64_t seed)
    : shape_(shape),
      fault_(fault),
      threads_(shape.threads, seed),
      memory_(shape.shared_bytes),
      warps_(static_cast<size_t>(shape.threads / kWarp)),
      warpgroups_(static_cast<size_t>((shape.threads + 127) / 128)),
      small_copies_(static_cast<size_t>(shape.threads), std::deque<SmallCopies>(1)),
      // Registers come in eights; the launch shares them out evenly.
      registers_(static_cast<size_t>(shape.threads), kRegisterFile / shape.threads / 8 * 8) {
  free_registers_ = kRegisterFile - shape.threads * registers_[0];
}

Block& Block::current() { return *running; }

void Block::run(const std::function<void()>& body) {
  running = this;
  threads_.run(body, [this](bool force) { return land_something(force); });
  check_finished();
}

void Block::check_finished() const {
  if (!loads_.empty()) throw Defect("a block ends while copies are in flight");
  if (!stores_.empty()) throw Defect("a block ends before its stores have read their memory");
  for (const Warpgroup& group : warpgroups_) {
    if (!group.idle()) throw Defect("a block ends with products that nobody waited for");
  }
}

bool Block::land_something(bool force) {
  for (std::vector<Copy>* copies : {&loads_, &stores_}) {
    for (size_t i = 0; i < copies->size(); ++i) {
      if (!(*copies)[i].land || (!force && threads_.draw(4) != 0)) continue;
      const auto land = std::exchange((*copies)[i].land, nullptr);
      land();
      if (copies == &loads_) copies->erase(copies->begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
  }
  for (Warpgroup& group : warpgroups_) {
    if (!group.can_run() || (!force && threads_.draw(4) != 0)) continue;
    group.run_group(memory_, fault_);
    return true;
  }
  return false;
}

void Block::barrier(int id, int threads, bool wait) {
  if (fault_ == Fault::swapped_turns && wait && (id == 1 || id == 2)) id = 3 - id;
  if (fault_ == Fault::no_warpgroup_barrier && id != 0 && threads == 128) return;
  if (fault_ == Fault::no_block_barrier && id == 0) return;
  Meeting& meeting = barriers_.at(static_cast<size_t>(id));
  const uint64_t generation = meeting.generation;
  if (++meeting.present == threads) {
    meeting.present = 0;
    ++meeting.generation;
  } else if (wait) {
    threads_.wait_while(meeting.generation, generation);
  }
}

void Block::fence() {
  if (fault_ != Fault::no_proxy_fence) memory_.fence(threads_.current());
}

MBarrier& Block::mbarrier(uint32_t address) {
  const auto found = mbarriers_.find(address);
  if (found == mbarriers_.end()) throw Defect("no barrier at " + hex(address));
  return found->second;
}

void Block::mbarrier_init(uint32_t address, int arrivals) {
  if (fault_ == Fault::extra_arrival) ++arrivals;
  if (fault_ == Fault::missing_arrival && arrivals > 1) --arrivals;
  memory_.at(address, 8);
  mbarriers_[address] = {.arrivals = arrivals, .pending = arrivals};
}

void Block::finish_phase(MBarrier& barrier) {
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  barrier.pending = barrier.arrivals;
  ++barrier.phase;
}

void Block::mbarrier_arrive(uint32_t address, uint32_t bytes) {
  MBarrier& barrier = mbarrier(address);
  if (barrier.pending == 0)
    throw Defect("more arrivals than the barrier at " + hex(address) + " expects");
  barrier.bytes += fault_ == Fault::half_the_bytes ? bytes / 2 : bytes;
  --barrier.pending;
  finish_phase(barrier);
  threads_.dawdle();  // what follows an arrival may come much later than what waits for it
}

void Block::mbarrier_wait(uint32_t address, uint32_t parity) {
  const bool loader = threads_.current() == 0;
  if (fault_ == (loader ? Fault::no_empty_wait : Fault::no_full_wait)) return;
  if (fault_ == Fault::flipped_parity) parity ^= 1;
  const MBarrier& barrier = mbarrier(address);
  if (barrier.phase % 2 == parity) threads_.wait_while(barrier.phase, barrier.phase);
}

namespace {

/// Bytes of a box that lie inside the tensor: calls visit(offset in the box, element or null).
template <typename Visit>
void visit_box(const TensorBoxes& map, int column, int row, int head, const Visit& visit) {
  for (int r = 0; r < map.box_rows; ++r) {
    const bool inside = row + r < map.rows && head < map.heads && column < map.head_dim;
    const Bf16* line = map.data + (row + r) * map.stride + int64_t{head} * map.head_dim + column;
    visit(static_cast<uint32_t>(r * kBoxColumns * 2), inside ? line : nullptr);
  }
}

std::vector<uint32_t> box_units(uint32_t at, const TensorBoxes& map) {
  std::vector<uint32_t> units(static_cast<size_t>(map.box_rows) * kBoxColumns * 2 / kUnit);
  for (size_t i = 0; i < units.size(); ++i) units[i] = at / kUnit + static_cast<uint32_t>(i);
  return units;
}

}  // namespace

void Block::tma_load(uint32_t to, const TensorBoxes& map, uint32_t barrier, int column, int row,
                     int head) {
  if (to % 1024 != 0) throw Defect("a swizzled box has to lie at a multiple of 1024 bytes");
  auto units = box_units(to, map);
  memory_.begin(SharedMemory::Use::landing, units);
  loads_.push_back({threads_.current(), units, [=, this] {
                      visit_box(map, column, row, head, [&](uint32_t offset, const Bf16* line) {
                        for (uint32_t i = 0; i < kBoxColumns * 2; i += kUnit) {
                          uint8_t* piece = memory_.at(swizzled(to + offset + i), kUnit);
                          if (line != nullptr) {
                            std::memcpy(piece, line + i / 2, kUnit);
                          } else {
                            std::memset(piece, 0, kUnit);
                          }
                        }
                      });
                      memory_.end(SharedMemory::Use::landing, units);
                      MBarrier& full = mbarrier(barrier);
                      full.bytes -= int64_t{map.box_rows} * kBoxColumns * 2;
                      finish_phase(full);
                    }});
}

void Block::tma_store(uint32_t from, const TensorBoxes& map, int column, int row, int head) {
  auto units = box_units(from, map);
  memory_.begin(SharedMemory::Use::reading, units);
  stores_.push_back({threads_.current(), units, [=, this] {
                       visit_box(map, column, row, head, [&](uint32_t offset, const Bf16* line) {
                         for (uint32_t i = 0; line != nullptr && i < kBoxColumns * 2; i += kUnit) {
                           const uint32_t at = from + offset + i;
                           const uint8_t* piece =
                               memory_.at(fault_ == Fault::plain_store ? at : swizzled(at), kUnit);
                           std::memcpy(const_cast<Bf16*>(line) + i / 2, piece, kUnit);
                         }
                       });
                     }});
}

void Block::tma_store_wait() {
  if (fault_ == Fault::no_store_wait) return;
  for (size_t i = 0; i < stores_.size();) {
    if (stores_[i].thread != threads_.current()) {
      ++i;
      continue;
    }
    if (stores_[i].land) stores_[i].land();
    memory_.end(SharedMemory::Use::reading, stores_[i].units);
    stores_.erase(stores_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void Block::cp_async(uint32_t to, const void* from, bool clear) {
  SmallCopy copy{.to = to};
  if (!clear) std::memcpy(copy.data.data(), from, kUnit);
  memory_.begin(SharedMemory::Use::landing, {to / kUnit});
  memory_.at(to, kUnit);
  small_copies_[static_cast<size_t>(threads_.current())].back().push_back(copy);
}

void Block::cp_async_commit() {
  small_copies_[static_cast<size_t>(threads_.current())].emplace_back();
}

void Block::land_small(const SmallCopies& group) {
  for (const SmallCopy& copy : group) {
    std::memcpy(memory_.at(copy.to, kUnit), copy.data.data(), kUnit);
    memory_.end(SharedMemory::Use::landing, {copy.to / kUnit});
  }
}

void Block::cp_async_wait(int pending) {
  if (fault_ == Fault::no_small_copy_wait) return;
  auto& groups = small_copies_[static_cast<size_t>(threads_.current())];
  while (static_cast<int>(groups.size()) - 1 > pending) {
    land_small(groups.front());
    groups.pop_front();
  }
}

void Block::product(float* d, const Product& instruction, const uint32_t* fragment) {
  warpgroup().issue(threads_.current(), d, instruction, fragment, memory_, fault_);
}

void Block::product_wait(int pending) {
  if (fault_ == Fault::no_product_wait) return;
  if (fault_ == Fault::late_product_wait) ++pending;
  warpgroup().wait(threads_.current(), pending, threads_, memory_);
}

void Block::move_registers(int registers) {
  int& own = registers_[static_cast<size_t>(threads_.current())];
  while (registers - own > free_registers_) threads_.wait_while(register_moves_, register_moves_);
  free_registers_ += own - registers;
  own = registers;
  ++register_moves_;
}

// Shared memory.

SharedMemory::SharedMemory(size_t bytes)
    : bytes_(bytes),
      landing_(bytes / kUnit + 1),
      reading_(bytes / kUnit + 1),
      unfenced_(bytes / kUnit + 1) {
  std::memset(bytes_.data(), 0xff, bytes);  // NaN in every format
}

uint8_t* SharedMemory::at(uint32_t address, uint32_t bytes) {
  if (address % bytes != 0) throw Defect("shared memory at " + hex(address) + " is not aligned");
  if (address + bytes > bytes_.size()) throw Defect(hex(address) + " lies beyond shared memory");
  return bytes_.data() + address;
}

float SharedMemory::bf16(uint32_t address) {
  uint16_t bits = 0;
  std::memcpy(&bits, at(address, 2), 2);
  return bf16_to_f32(bits);
}

void SharedMemory::begin(Use use, const std::vector<uint32_t>& units) {
  for (const uint32_t unit : units) {
    at(unit * kUnit, kUnit);
    const std::string where = " at " + hex(unit * kUnit);
    if (landing_[unit] > 0)
      throw Defect("a copy has not landed that is read or overwritten" + where);
    if (use == Use::landing && reading_[unit] > 0) {
      throw Defect("a copy overwrites what is still read" + where);
    }
    if (use == Use::reading && unfenced_[unit] > 0) {
      throw Defect("an engine reads what threads wrote without a fence" + where);
    }
    ++(use == Use::landing ? landing_ : reading_)[unit];
  }
}

void SharedMemory::end(Use use, const std::vector<uint32_t>& units) {
  for (const uint32_t unit : units) --(use == Use::landing ? landing_ : reading_)[unit];
}

void SharedMemory::check_write(uint32_t address) {
  if (reading_[address / kUnit] > 0) throw Defect("a thread overwrites what is still read");
  check_read(address);
}

void SharedMemory::check_read(uint32_t address) {
  if (landing_[address / kUnit] > 0) throw Defect("a thread touches a copy that has not landed");
}

void SharedMemory::wrote(int thread, uint32_t address) { unfenced_[address / kUnit] = 1 + thread; }

void SharedMemory::fence(int thread) {
  for (int& writer : unfenced_) {
    if (writer == 1 + thread) writer = 0;
  }
}

}  // namespace unmask::cuda::emulator
