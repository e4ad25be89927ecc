// Settings of the CUDA backend that a check compares.
#pragma once

#include <cstdlib>

namespace unmask::tools {

/// An environment variable that has a value while this lives.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Setting() { unsetenv(name_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
};

/// While it lives the host leads every step.
struct LedByHost : Setting {
  LedByHost() : Setting("UNMASK_CUDA_STEPS", "host") {}
};

/// While it lives the device takes steps alone, but each is queued anew.
struct WithoutGraphs : Setting {
  WithoutGraphs() : Setting("UNMASK_CUDA_STEPS", "queue") {}
};

/// While it lives full attention is cuDNN's.
struct AttentionByCudnn : Setting {
  AttentionByCudnn() : Setting("UNMASK_CUDA_ATTENTION", "cudnn") {}
};

}  // namespace unmask::tools
