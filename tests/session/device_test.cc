// What "auto" stands for: devices and types of weights.
#include "session/device.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "io/containers/checkpoint.h"
#include "support/environment.h"

namespace unmask {
namespace {

TEST(FindDevice, AutoTakesADeviceThatThePlugInReportsAndBuildsNothing) {
  // This plug-in reports a device and fails to build a backend.
  const testing::EnvironmentVariable held("UNMASK_CUDA_PLUGIN", UNMASK_FAILING_PLUGIN);
  EXPECT_EQ(find_device("auto").kind, DeviceKind::cuda);
}

TEST(FindDevice, AutoIsTheCpuWhereThereIsNoDeviceAndSaysWhy) {
  const testing::EnvironmentVariable held("UNMASK_CUDA_PLUGIN", UNMASK_FOREIGN_PLUGIN);
  const FoundDevice found = find_device("auto");
  EXPECT_EQ(found.kind, DeviceKind::cpu);
  EXPECT_NE(found.missing.find("another version"), std::string::npos) << found.missing;
}

TEST(ResolveWeightType, IsThatOfTheFileWhateverTheKernels) {
  const std::string directory = UNMASK_GOLDEN_CHECKPOINTS "/dream-tiny-bf16-sharded";
  const Checkpoint checkpoint(directory);
  const ModelConfig config = load_model_config(directory);
  for (const std::string& kernels : cpu_kernel_names()) {
    const testing::EnvironmentVariable held("UNMASK_ISA", kernels);
    EXPECT_EQ(resolve_weight_type(std::nullopt, DeviceKind::cpu, checkpoint, config),
              WeightType::bf16)
        << kernels;
  }
}

TEST(ResolveWeightType, WhatIsAskedForCountsWhateverTheKernels) {
  const std::string directory = UNMASK_GOLDEN_CHECKPOINTS "/llada-tiny";
  const Checkpoint checkpoint(directory);
  const ModelConfig config = load_model_config(directory);
  EXPECT_EQ(resolve_weight_type(std::nullopt, DeviceKind::cpu, checkpoint, config),
            WeightType::f32);
  EXPECT_EQ(resolve_weight_type(WeightType::int4, DeviceKind::cpu, checkpoint, config),
            WeightType::int4);
  EXPECT_EQ(resolve_weight_type(std::nullopt, DeviceKind::cuda, checkpoint, config),
            WeightType::bf16);
  EXPECT_THROW(resolve_weight_type(WeightType::f32, DeviceKind::cuda, checkpoint, config), Error);
}

}  // namespace
}  // namespace unmask
