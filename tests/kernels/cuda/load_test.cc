// Finding and opening the CUDA plug-in, with plug-ins that have no device.
#include <gtest/gtest.h>

#include "kernels/create_backend.h"

namespace unmask {
namespace {

/// Why the plug-in at `path` gives no backend.
std::string reason(const char* path) {
  try {
    create_cuda_backend({.threads = 3, .plugin = path});
  } catch (const Error& error) {
    return error.what();
  }
  return "loaded";
}

TEST(CudaPlugin, SaysWhatIsWrong) {
  EXPECT_EQ(reason("/nowhere/libunmask_cuda.so"),
            "[cuda] /nowhere/libunmask_cuda.so not found; build it with CUDA 13 and "
            "-DUNMASK_CUDA=ON, or use --device cpu");
  const std::string broken = reason(UNMASK_GOLDEN_CHECKPOINTS "/llada-tiny/config.json");
  EXPECT_NE(broken.find("does not load"), std::string::npos) << broken;
  const std::string foreign = reason(UNMASK_FOREIGN_PLUGIN);
  EXPECT_NE(foreign.find("built for another version"), std::string::npos) << foreign;
  EXPECT_EQ(reason(UNMASK_FAILING_PLUGIN), "[cuda] three threads");
}

}  // namespace
}  // namespace unmask
