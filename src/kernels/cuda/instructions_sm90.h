// The instructions of Hopper (sm_90a) among those of instructions.h: copies by the tensor memory
// accelerator (TMA), barriers in shared memory that count its bytes, and products of warpgroups.
#pragma once

#include <cuda.h>

#include "kernels/cuda/instructions.h"
// It needs GPU_FN.
#include "kernels/cuda/matrix_descriptor.inc"

namespace unmask::cuda {

using TensorMap = CUtensorMap;

// Barriers of 8 bytes in shared memory. A phase ends when all arrivals have come and all announced
// bytes have landed; waiting for parity p returns once the running phase is not of parity p.

GPU_FN void mbarrier_init(SharedAddress barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
/// Makes initialised barriers known to the copy engine; a barrier of the block has to follow.
GPU_FN void mbarrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
/// Arrives and announces bytes.
GPU_FN void mbarrier_arrive_expect(SharedAddress barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}
GPU_FN void mbarrier_arrive(SharedAddress barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
GPU_FN void mbarrier_wait(SharedAddress barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again%=:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again%=;\n"
      "}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// Copies of boxes of a tensor [head][row][column], with the swizzle of 128 bytes.

/// Loads the box at (column, row, head); rows beyond the tensor become zero. Its bytes count for
/// the barrier.
GPU_FN void tma_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int column,
                     int row, int head) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(column), "r"(row), "r"(head)
      : "memory");
}
/// Stores a box; rows beyond the tensor are left out.
GPU_FN void tma_store(SharedAddress from, const TensorMap& map, int column, int row, int head) {
  asm volatile(
      "cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map),
      "r"(from), "r"(column), "r"(row), "r"(head)
      : "memory");
}
/// Waits until this thread's stores have read their shared memory.
GPU_FN void tma_store_wait() {
  asm volatile("cp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;" ::: "memory");
}
/// Makes this thread's writes to shared memory visible to the copy engine.
GPU_FN void async_proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Products of a warpgroup (128 threads), d += a b with a [64, 16] and b [16, N]. Warp w of the
// group owns rows 16 w to 16 w + 15, in which its lanes own d as in multiply_16x8x16(), eight
// columns after the other. They run between wgmma_commit() and wgmma_wait(); d must not be touched
// until then.

/// Before the first product after registers were written.
GPU_FN void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
GPU_FN void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until all groups but the newest kPending are done; `d` belongs to one of those. Naming it
/// keeps the compiler from reading it earlier.
template <int kPending, int kSize>
GPU_FN void wgmma_wait(float (&d)[kSize]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
  GPU_UNROLL
  for (int i = 0; i < kSize; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

#define UNMASK_D8(i)                                                                  \
  "+f"(d[i]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3]), "+f"(d[(i) + 4]), \
      "+f"(d[(i) + 5]), "+f"(d[(i) + 6]), "+f"(d[(i) + 7])
#define UNMASK_D32(i) UNMASK_D8(i), UNMASK_D8((i) + 8), UNMASK_D8((i) + 16), UNMASK_D8((i) + 24)
#define UNMASK_R32                                                                             \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
  "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define UNMASK_R64                                                                               \
  UNMASK_R32                                                                                     \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, " \
  "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

/// N = 128, both operands in shared memory and contiguous along the depth. d = a b unless
/// `accumulate`.
GPU_FN void wgmma(float (&d)[64], uint64_t a, uint64_t b, bool accumulate) {
  asm volatile(
      "{\n.reg .pred accumulate;\nsetp.ne.b32 accumulate, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" UNMASK_R64
      "}, %64, %65, accumulate, 1, 1, 0, 0;\n}"
      : UNMASK_D32(0), UNMASK_D32(32)
      : "l"(a), "l"(b), "r"(accumulate ? 1 : 0));
}
/// N = 128, `a` in registers as in multiply_16x8x16(), b contiguous along its columns.
GPU_FN void wgmma(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" UNMASK_R64
               "}, {%64, %65, %66, %67}, %68, 1, 1, 1, 1;"
               : UNMASK_D32(0), UNMASK_D32(32)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
/// The same with N = 64.
GPU_FN void wgmma(float (&d)[32], const uint32_t (&a)[4], uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" UNMASK_R32
               "}, {%32, %33, %34, %35}, %36, 1, 1, 1, 1;"
               : UNMASK_D32(0)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

#undef UNMASK_D8
#undef UNMASK_D32
#undef UNMASK_R32
#undef UNMASK_R64

/// Moves registers between the warpgroups of a block; all 128 threads call it.
template <int kRegisters>
GPU_FN void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
GPU_FN void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace unmask::cuda
