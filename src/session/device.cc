#include "session/device.h"

#include "core/error.h"
#include "io/containers/gguf_checkpoint.h"
#include "model/families.h"

namespace unmask {

using enum WeightType;

std::vector<std::string> weight_type_names() {
  std::vector<std::string> names{"auto"};
  for (const WeightType type : kWeightTypes) names.emplace_back(weight_type_name(type));
  return names;
}

std::optional<WeightType> parse_weight_type(std::string_view name) {
  if (name == "auto") return std::nullopt;
  for (const WeightType type : kWeightTypes) {
    if (weight_type_name(type) == name) return type;
  }
  fail("[dtype] unknown type '{}'; use one of {}", printable(name),
       fmt::join(weight_type_names(), ", "));
}

std::string_view device_kind_name(DeviceKind kind) {
  return kind == DeviceKind::cuda ? "cuda" : "cpu";
}

std::vector<std::string> device_names() { return {"cpu", "cuda", "auto"}; }

FoundDevice find_device(std::string_view name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {DeviceKind::cuda, {}};
  if (name != "auto") {
    fail("[device] unknown device '{}'; use one of {}", printable(name),
         fmt::join(device_names(), ", "));
  }
  const std::string missing = missing_cuda_device({});
  return {missing.empty() ? DeviceKind::cuda : DeviceKind::cpu, missing};
}

WeightType resolve_weight_type(std::optional<WeightType> wanted, DeviceKind device,
                               const TensorDirectory& checkpoint, const ModelConfig& config) {
  if (device == DeviceKind::cuda) {
    if (wanted.value_or(bf16) == bf16) return bf16;
    fail(ErrorCode::device_type, "[dtype] found {}, expected bf16: a CUDA device has no other",
         weight_type_name(*wanted));
  }
  if (wanted) return *wanted;
  if (const auto packed = checkpoint.packed_type()) {
    for (const WeightType type : {bf16, int8, int4, stored}) {
      if (weight_type_name(type) == *packed) return type;
    }
    fail("[packed] {}: found weights of type '{}', which this program does not know",
         checkpoint.path().string(), printable(*packed));
  }
  if (is_gguf_file(checkpoint.path())) return stored;
  const auto name = tensor_name(config, TensorRole::q, 0);
  const bool stored_narrow = checkpoint.contains(name) && checkpoint.at(name).dtype == "BF16";
  return stored_narrow ? bf16 : f32;
}

}  // namespace unmask
