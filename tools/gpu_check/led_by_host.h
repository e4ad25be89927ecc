// The switch between steps that the device takes alone and steps that the host leads.
#pragma once

#include <cstdlib>

namespace unmask::tools {

/// While it lives the host leads every step of the CUDA backend.
class LedByHost {
 public:
  LedByHost() { setenv(kSwitch, "off", 1); }
  ~LedByHost() { unsetenv(kSwitch); }
  LedByHost(const LedByHost&) = delete;
  LedByHost& operator=(const LedByHost&) = delete;

 private:
  static constexpr const char* kSwitch = "UNMASK_CUDA_GRAPHS";
};

}  // namespace unmask::tools
