// A device made of host memory: it runs the device's work in plain loops, in the order in which a
// block of threads would reduce it. Its memory can be touched only while such work runs.
#pragma once

namespace unmask::cuda {

/// Opens the memory of all plain devices for as long as it lives.
class PlainAccess {
 public:
  PlainAccess();
  ~PlainAccess();
  PlainAccess(const PlainAccess&) = delete;
  PlainAccess& operator=(const PlainAccess&) = delete;
};

}  // namespace unmask::cuda
