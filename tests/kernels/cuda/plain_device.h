// A device made of host memory: it runs the device's work in plain loops, in the order in which a
// block of threads would reduce it. Its memory can be touched only while such work runs.
#pragma once

#include <functional>
#include <utility>
#include <vector>

/// The queue of a plain device, under the name that CUDA gives its own: runs work at once, or keeps
/// it while something is recorded.
struct CUstream_st {  // NOLINT(readability-identifier-naming)
  std::vector<std::function<void()>>* recorded = nullptr;

  void add(std::function<void()> work) {
    if (recorded == nullptr) {
      work();
    } else {
      recorded->push_back(std::move(work));
    }
  }
};

namespace unmask::cuda {

/// Opens the memory of all plain devices for as long as it lives.
class PlainAccess {
 public:
  PlainAccess();
  ~PlainAccess();
  PlainAccess(const PlainAccess&) = delete;
  PlainAccess& operator=(const PlainAccess&) = delete;
};

/// Tasks that went to the library which full attention can be left to.
inline int plain_library_tasks = 0;

}  // namespace unmask::cuda
