// What computes, and in which type of weights, from the words a user has for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/containers/tensor_directory.h"
#include "io/model_config.h"
#include "kernels/create_backend.h"

namespace unmask {

enum class DeviceKind : uint8_t { cpu, cuda };

std::string_view device_kind_name(DeviceKind kind);
/// "cpu", "cuda", "auto".
std::vector<std::string> device_names();

struct FoundDevice {
  DeviceKind kind = DeviceKind::cpu;
  std::string missing;  // "auto" on the cpu: why there is nothing better
};
/// The device of that name; "auto" is a CUDA device where there is one. Throws Error for another
/// name.
FoundDevice find_device(std::string_view name);

/// "auto" and the names of the weight types.
std::vector<std::string> weight_type_names();
/// The type of that name; none for "auto". Throws Error for another name.
std::optional<WeightType> parse_weight_type(std::string_view name);

/// `wanted`, or without it `stored` for a GGUF file, else bf16 where the checkpoint is bf16 and the
/// kernels at hand multiply it, else f32. On a CUDA device always bf16; throws Error when something
/// else is wanted there.
WeightType resolve_weight_type(std::optional<WeightType> wanted, DeviceKind device,
                               const TensorDirectory& checkpoint, const ModelConfig& config);

}  // namespace unmask
