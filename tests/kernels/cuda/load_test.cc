// Finding and opening the CUDA plug-in, with plug-ins that have no device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

/// Why the plug-in at `path` gives no backend.
Error reason(const char* path) {
  try {
    create_cuda_backend({.threads = 1, .plugin = path});
  } catch (const Error& error) {
    return error;
  }
  return Error("loaded");
}

TEST(CudaPlugin, SaysWhatIsWrong) {
  const Error absent = reason("/nowhere/libunmask_cuda.so");
  EXPECT_STREQ(absent.what(),
               "[cuda] /nowhere/libunmask_cuda.so not found; build it with CUDA 13 and "
               "-DUNMASK_CUDA=ON");
  EXPECT_EQ(absent.code(), ErrorCode::device);
  EXPECT_THAT(reason(UNMASK_GOLDEN_CHECKPOINTS "/llada-tiny/config.json").what(),
              HasSubstr("does not load"));
  EXPECT_THAT(reason(UNMASK_FOREIGN_PLUGIN).what(), HasSubstr("built for another version"));
}

TEST(CudaPlugin, AnErrorKeepsItsCodeAcrossTheBorder) {
  const Error error = reason(UNMASK_FAILING_PLUGIN);
  EXPECT_STREQ(error.what(), "[cuda] no backend");
  EXPECT_EQ(error.code(), ErrorCode::memory);
}

TEST(CudaPlugin, IsAskedForADeviceWithoutABackend) {
  EXPECT_EQ(missing_cuda_device({.threads = 1, .plugin = UNMASK_FAILING_PLUGIN}), "");
  EXPECT_EQ(missing_cuda_device({.threads = 3, .plugin = UNMASK_FAILING_PLUGIN}),
            "[cuda] three threads");
  EXPECT_THAT(missing_cuda_device({.plugin = "/nowhere/libunmask_cuda.so"}),
              HasSubstr("not found"));
}

}  // namespace
}  // namespace unmask
