// The instructions that the kernels are written in, for nvcc: one function each, named after what
// it does. tests/kernels/cuda/emulator/instructions.h has the same functions for the CPU, so
// kernels
// (*.inc) name nothing of CUDA themselves and leave the choice to whoever includes them.
// Source of the forms: NVIDIA's "PTX ISA" manual, chapter "Instruction Set".
#pragma once

#include <cstdint>

#define GPU_FN __device__ __forceinline__
#define GPU_UNROLL _Pragma("unroll")

namespace unmask::cuda {

/// Byte address in the block's shared memory.
using SharedAddress = uint32_t;

GPU_FN int thread_index() { return static_cast<int>(threadIdx.x); }
GPU_FN int block_threads() { return static_cast<int>(blockDim.x); }
GPU_FN int block_index() { return static_cast<int>(blockIdx.x); }
GPU_FN int grid_blocks() { return static_cast<int>(gridDim.x); }

/// Start of the dynamic shared memory, a multiple of 1024 where a kernel has no other.
GPU_FN SharedAddress shared_memory() {
  extern __shared__ __align__(1024) uint8_t dynamic_shared_memory[];
  return static_cast<SharedAddress>(__cvta_generic_to_shared(dynamic_shared_memory));
}
GPU_FN void store_shared(SharedAddress at, uint32_t value) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(at), "r"(value) : "memory");
}
GPU_FN void store_shared(SharedAddress at, float value) {
  store_shared(at, __float_as_uint(value));
}
GPU_FN float load_shared(SharedAddress at) {
  float value;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(at) : "memory");
  return value;
}

/// Stores two bfloat16 at a multiple of four bytes.
GPU_FN void store_pair(uint16_t* to, uint32_t pair) { *reinterpret_cast<uint32_t*>(to) = pair; }

// Arithmetic.

/// 2^x to 22 bits; tiny results become 0.
GPU_FN float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// e^x to the last bit or the one before.
GPU_FN float exponential(float x) { return expf(x); }
GPU_FN float log2_fast(float x) { return __log2f(x); }
GPU_FN float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
GPU_FN float maximum(float a, float b) { return fmaxf(a, b); }
GPU_FN uint32_t float_bits(float x) { return __float_as_uint(x); }
/// Two bfloat16, rounded to nearest even; `low` lies at the lower address.
GPU_FN uint32_t pack_bf16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
GPU_FN int count_bits(uint32_t x) { return __popc(x); }

// Threads of a warp, all 32 together.

GPU_FN float shuffle_xor(float value, int mask) {
  return __shfl_xor_sync(0xffffffffU, value, mask);
}
GPU_FN uint32_t ballot(bool condition) { return __ballot_sync(0xffffffffU, condition); }

// Threads of a block.

GPU_FN void block_sync() { __syncthreads(); }
/// Waits until `threads` threads have come to barrier `id` (1 to 15), by either function.
GPU_FN void barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
/// Comes to the barrier without waiting.
GPU_FN void barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// Copies and products of sm_80.

/// Copies 16 bytes into shared memory, or clears them, some time before cp_async_wait() returns.
GPU_FN void cp_async_16(SharedAddress to, const void* from, bool clear) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(clear ? 0 : 16)
               : "memory");
}
GPU_FN void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until all groups but the newest kPending have landed, for this thread.
template <int kPending>
GPU_FN void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}
/// Four 8x8 matrices of 16-bit elements; lane 8 m + r gives the address of row r of matrix m. Lane
/// l receives elements 2 (l % 4) and the next of row l / 4 of each.
GPU_FN void load_matrices(uint32_t (&to)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}
/// The same with every matrix transposed.
GPU_FN void load_matrices_transposed(uint32_t (&to)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}
/// d += a b of a warp: a 16 x 16, b 16 x 8 as two halves of its depth, d 16 x 8. Lane l owns rows
/// l / 4 and l / 4 + 8 of d, columns 2 (l % 4) and the next.
GPU_FN void multiply_16x8x16(float* d, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace unmask::cuda
