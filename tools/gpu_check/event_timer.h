// Times of work on a stream, taken by the device. Needs CUDA's headers.
#pragma once

#include <cuda_runtime_api.h>
#include <functional>

#include "kernels/cuda/check.h"

namespace unmask::tools {

class EventTimer {
 public:
  explicit EventTimer(cudaStream_t stream) : stream_(stream) {
    cuda::check(cudaEventCreate(&begin_), "cudaEventCreate");
    cuda::check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~EventTimer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  EventTimer(const EventTimer&) = delete;
  EventTimer& operator=(const EventTimer&) = delete;

  /// Of everything that `queue` puts on the stream.
  double milliseconds(const std::function<void()>& queue) {
    cuda::check(cudaEventRecord(begin_, stream_), "cudaEventRecord");
    queue();
    cuda::check(cudaEventRecord(end_, stream_), "cudaEventRecord");
    cuda::check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float time = 0;
    cuda::check(cudaEventElapsedTime(&time, begin_, end_), "cudaEventElapsedTime");
    return time;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_{};
  cudaEvent_t end_{};
};

}  // namespace unmask::tools
