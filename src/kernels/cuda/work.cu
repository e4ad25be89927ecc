// The device's way to run cell_work.h and row_work.h.
#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/cuda/reveal_work.h"

namespace unmask::cuda {

namespace {

constexpr int kThreads = 256;       // of a block
constexpr int kNarrowThreads = 64;  // for rows of one head, of which a norm has tens a position
constexpr int kNarrowRow = 256;     // columns: 4 for each of so few threads
constexpr int kWideThreads = 1024;  // for rows of a vocabulary, of which few are reduced at a time
constexpr int kWideRow = 16384;     // columns: 16 for each of so many threads
constexpr int kWarp = 32;
// To fill a device: the 132 multiprocessors of an H200 hold 8 blocks of 256 threads each.
constexpr unsigned kEnoughBlocks = 1024;

template <typename Work>
concept Reduces = requires {
  typename Work::Part;
};

template <typename Work>
concept Gives = requires(const Work& work, const typename Work::Part& part) {
  work.value(part, 0, 0);
};

/// Puts the values of every `stride`th column from `first` on, some at a time.
template <typename Work, typename Value>
__device__ void put_all(const Work& work, int row, int first, int stride, const Value& value) {
  constexpr int kAtOnce = 4;
  using Result = decltype(value(first));
  for (int begin = first; begin < work.cols; begin += kAtOnce * stride) {
    Result values[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (begin + i * stride < work.cols) values[i] = value(begin + i * stride);
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (begin + i * stride < work.cols) work.put(row, begin + i * stride, values[i]);
    }
  }
}

/// Narrow rows share a block: blockDim.y rows, blockDim.x threads each. Few wide rows are shared
/// out between gridDim.y blocks.
template <typename Work>
__global__ void run_cells(Work work) {
  const int stride = static_cast<int>(gridDim.x * blockDim.y);
  const int first = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  const int across = static_cast<int>(gridDim.y * blockDim.x);
  for (int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); row < work.rows;
       row += stride) {
    put_all(work, row, first, across, [&](int col) { return work.value(row, col); });
  }
}

/// The part of the thread `distance` further on in the warp.
template <typename Part>
__device__ Part from_neighbour(const Part& part, int distance) {
  static_assert(sizeof(Part) % sizeof(int) == 0);
  union Words {
    __device__ Words() {}
    Part part;
    int words[sizeof(Part) / sizeof(int)];
  };
  Words mine;
  Words other;
  mine.part = part;
#pragma unroll
  for (int i = 0; i < static_cast<int>(sizeof(Part) / sizeof(int)); ++i) {
    other.words[i] = __shfl_down_sync(0xffffffffU, mine.words[i], static_cast<unsigned>(distance));
  }
  return other.part;
}

template <typename Work>
__device__ void reduce_warp(typename Work::Part& part) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    Work::merge(part, from_neighbour(part, distance));
  }
}

/// One block a row.
template <typename Work>
__global__ void __launch_bounds__(kWideThreads) run_row(Work work) {
  using Part = typename Work::Part;
  __shared__ alignas(Part) unsigned char memory[kWideThreads / kWarp * sizeof(Part)];
  Part* parts = reinterpret_cast<Part*>(memory);
  const int thread = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  Part part;
#pragma unroll 4
  for (int col = thread; col < work.cols; col += static_cast<int>(blockDim.x)) {
    work.take(part, row, col);
  }
  reduce_warp<Work>(part);
  if (thread % kWarp == 0) parts[thread / kWarp] = part;
  __syncthreads();
  if (thread < kWarp) {
    const int warps = static_cast<int>(blockDim.x) / kWarp;
    part = thread < warps ? parts[thread] : Part();
    reduce_warp<Work>(part);
    if (thread == 0) {
      work.finish(part, row);
      parts[0] = part;
    }
  }
  if constexpr (Gives<Work>) {
    __syncthreads();
    part = parts[0];
    put_all(work, row, thread, static_cast<int>(blockDim.x),
            [&](int col) { return work.value(part, row, col); });
  }
}

}  // namespace

template <typename Work>
void launch(const Work& work, Stream stream) {
  if (work.rows <= 0 || work.cols <= 0) return;
  if constexpr (Reduces<Work>) {
    const int threads = work.cols >= kWideRow     ? kWideThreads
                        : work.cols <= kNarrowRow ? kNarrowThreads
                                                  : kThreads;
    run_row<<<static_cast<unsigned>(work.rows), static_cast<unsigned>(threads), 0, stream>>>(work);
  } else {
    unsigned across = kWarp;
    while (across < kThreads && across < static_cast<unsigned>(work.cols)) across *= 2;
    const unsigned rows = kThreads / across;
    const unsigned blocks = (static_cast<unsigned>(work.rows) + rows - 1) / rows;
    const unsigned parts = (static_cast<unsigned>(work.cols) + across - 1) / across;
    const unsigned shared_by = std::clamp(kEnoughBlocks / blocks, 1U, parts);
    run_cells<<<dim3(blocks, shared_by), dim3(across, rows), 0, stream>>>(work);
  }
  check(cudaGetLastError(), "launch of row or cell work");
}

// order matters: the list instantiates the definition above
#include "kernels/cuda/launches.inc"

}  // namespace unmask::cuda
