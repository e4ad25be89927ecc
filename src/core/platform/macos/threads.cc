#include <algorithm>
#include <thread>

#include "core/platform/processor.h"

namespace unmask {

/// macOS binds no process to processors.
int available_threads() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace unmask
