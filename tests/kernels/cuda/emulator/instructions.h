// The instructions of src/kernels/cuda/instructions.h and instructions_sm90.h for the CPU: kernels
// included after this file run in an emulated block.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/dtype.h"
#include "kernels/cuda/emulator/block.h"

#define GPU_FN inline
#define GPU_UNROLL

// They need GPU_FN.
#include "kernels/cuda/matrix_descriptor.inc"

namespace unmask::cuda {

using SharedAddress = uint32_t;
using TensorMap = TensorBoxes;
using emulator::Block;
using emulator::Fault;

GPU_FN int thread_index() { return Block::current().threads().current(); }
GPU_FN int block_threads() { return Block::current().shape().threads; }
GPU_FN int block_index() { return Block::current().shape().index; }
GPU_FN int grid_blocks() { return Block::current().shape().grid; }

GPU_FN SharedAddress shared_memory() { return 0; }
GPU_FN void store_shared(SharedAddress at, uint32_t value) {
  auto& memory = Block::current().memory();
  memory.check_write(at);
  std::memcpy(memory.at(at, 4), &value, 4);
  memory.wrote(thread_index(), at);
}
GPU_FN void store_shared(SharedAddress at, float value) {
  store_shared(at, std::bit_cast<uint32_t>(value));
}
GPU_FN float load_shared(SharedAddress at) {
  auto& memory = Block::current().memory();
  memory.check_read(at);
  float value = 0;
  std::memcpy(&value, memory.at(at, 4), 4);
  return value;
}

GPU_FN void store_pair(uint16_t* to, uint32_t pair) { std::memcpy(to, &pair, 4); }

GPU_FN float exp2_fast(float x) { return std::exp2(x); }
GPU_FN float exponential(float x) { return std::exp(x); }
GPU_FN float log2_fast(float x) { return std::log2(x); }
GPU_FN float multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
GPU_FN float maximum(float a, float b) { return std::fmax(a, b); }
GPU_FN uint32_t float_bits(float x) { return std::bit_cast<uint32_t>(x); }
GPU_FN uint32_t pack_bf16(float low, float high) {
  return f32_to_bf16(low) | uint32_t{f32_to_bf16(high)} << 16;
}
GPU_FN int count_bits(uint32_t x) { return std::popcount(x); }

GPU_FN float shuffle_xor(float value, int mask) {
  if (Block::current().fault() == Fault::wrong_shuffle && mask == 2) mask = 4;
  struct Lane {
    float give, take;
  } mine{value, 0};
  Block::current().warp_together("shuffle_xor", mine, [&](auto& lanes) {
    for (size_t l = 0; l < 32; ++l) lanes[l]->take = lanes[l ^ static_cast<size_t>(mask)]->give;
  });
  return mine.take;
}
GPU_FN uint32_t ballot(bool condition) {
  struct Lane {
    bool give;
    uint32_t take;
  } mine{condition, 0};
  Block::current().warp_together("ballot", mine, [&](auto& lanes) {
    uint32_t votes = 0;
    for (size_t l = 0; l < 32; ++l) votes |= uint32_t{lanes[l]->give} << l;
    for (auto* lane : lanes) lane->take = votes;
  });
  return mine.take;
}

GPU_FN void block_sync() { Block::current().barrier(0, block_threads(), true); }
GPU_FN void barrier_sync(int id, int threads) { Block::current().barrier(id, threads, true); }
GPU_FN void barrier_arrive(int id, int threads) { Block::current().barrier(id, threads, false); }

GPU_FN void cp_async_16(SharedAddress to, const void* from, bool clear) {
  Block::current().cp_async(to, from, clear);
}
GPU_FN void cp_async_commit() { Block::current().cp_async_commit(); }
template <int kPending>
GPU_FN void cp_async_wait() {
  Block::current().cp_async_wait(kPending);
}

void load_matrices(uint32_t (&to)[4], SharedAddress row);
void load_matrices_transposed(uint32_t (&to)[4], SharedAddress row);
void multiply_16x8x16(float* d, const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

GPU_FN void mbarrier_init(SharedAddress barrier, int arrivals) {
  Block::current().mbarrier_init(barrier, arrivals);
}
GPU_FN void mbarrier_init_fence() {}
GPU_FN void mbarrier_arrive_expect(SharedAddress barrier, uint32_t bytes) {
  Block::current().mbarrier_arrive(barrier, bytes);
}
GPU_FN void mbarrier_arrive(SharedAddress barrier) { Block::current().mbarrier_arrive(barrier, 0); }
GPU_FN void mbarrier_wait(SharedAddress barrier, uint32_t parity) {
  Block::current().mbarrier_wait(barrier, parity);
}

GPU_FN void tma_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int column,
                     int row, int head) {
  Block::current().tma_load(to, map, barrier, column, row, head);
}
GPU_FN void tma_store(SharedAddress from, const TensorMap& map, int column, int row, int head) {
  Block::current().tma_store(from, map, column, row, head);
}
GPU_FN void tma_store_wait() { Block::current().tma_store_wait(); }
GPU_FN void async_proxy_fence() { Block::current().fence(); }

GPU_FN void wgmma_fence() {
  Block& block = Block::current();
  if (block.fault() != Fault::no_product_fence) block.warpgroup().fence(thread_index());
}
GPU_FN void wgmma_commit() { Block::current().warpgroup().commit(thread_index()); }
template <int kPending, int kSize>
GPU_FN void wgmma_wait(float (&)[kSize]) {
  Block::current().product_wait(kPending);
}
GPU_FN void wgmma(float (&d)[64], uint64_t a, uint64_t b, bool accumulate) {
  Block::current().product(d, {.columns = 128, .a = a, .b = b, .accumulate = accumulate}, nullptr);
}
template <int kSize>
GPU_FN void wgmma(float (&d)[kSize], const uint32_t (&a)[4], uint64_t b) {
  Block::current().product(d, {.columns = 2 * kSize, .b = b, .fragments = true}, a);
}

template <int kRegisters>
GPU_FN void give_registers() {
  Block::current().move_registers(kRegisters);
}
template <int kRegisters>
GPU_FN void take_registers() {
  Block::current().move_registers(kRegisters);
}

}  // namespace unmask::cuda
