#include "io/lora.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/error.h"
#include "io/config_reader.h"
#include "io/fnv1a.h"
#include "io/lora_config.h"
#include "io/tensor_names.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr const char* kWeightsName = "adapter_model.safetensors";

fs::path weights_of(const fs::path& directory) {
  std::error_code none;
  if (!fs::exists(directory / LoraAdapter::kConfigName, none)) {
    fail("[lora] {}: no LoRA adapter: there is no {}", directory.string(),
         LoraAdapter::kConfigName);
  }
  fs::path weights = directory / kWeightsName;
  if (!fs::exists(weights, none) && fs::exists(directory / "adapter_model.bin", none)) {
    fail(
        "[lora] {}: holds adapter_model.bin, a pickle of PyTorch; save the adapter as safetensors "
        "(in Python: model.save_pretrained(DIR, safe_serialization=True))",
        directory.string());
  }
  return weights;
}

/// A stored name in parts: the module in the base model, and what of it the tensor is.
struct AdapterName {
  std::string module;
  std::string part;  // "lora_A", "lora_B", or e.g. "weight" of a saved module
};

/// base_model.model.MODULE.lora_A.weight, with the adapter's name ("default") where PEFT keeps it;
/// lora_embedding_A and _B have no ".weight".
AdapterName split_name(const std::string& stored) {
  constexpr std::array kPairs{"lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B"};
  constexpr std::array kWrappers{"modules_to_save", "base_layer", "original_module"};
  constexpr std::string_view kPeft = "base_model.model.";
  std::string_view own = stored;
  if (own.starts_with(kPeft)) own.remove_prefix(kPeft.size());
  std::vector<std::string> kept;
  const std::vector<std::string> parts = split_tensor_name(without_wrappers(own));
  for (size_t i = 0; i < parts.size(); ++i) {
    if (std::find(kPairs.begin(), kPairs.end(), parts[i]) != kPairs.end()) {
      return {join_tensor_name(kept), parts[i]};
    }
    if (std::find(kWrappers.begin(), kWrappers.end(), parts[i]) == kWrappers.end()) {
      kept.push_back(parts[i]);
    } else if (parts[i] == "modules_to_save" && i + 2 < parts.size()) {
      ++i;  // the adapter's name
    }
  }
  const std::string last = kept.empty() ? "" : kept.back();
  if (!kept.empty()) kept.pop_back();
  return {join_tensor_name(kept), last};
}

}  // namespace

LoraAdapter::LoraAdapter(const fs::path& directory)
    : directory_(directory), file_(weights_of(directory)) {
  const LoraConfig config = read_lora_config(ConfigReader(directory / kConfigName));
  base_ = config.base;
  for (const auto& [name, tensor] : file_.tensors()) add(name, tensor);
  check_pairs();
  for (auto& [module, pair] : pairs_) {
    const int expected = config.rank_of(module);
    if (pair.rank() != expected) {
      fail("[lora] {}: '{}' has the rank {}, expected {} by {}", file_.path().string(),
           printable(module), pair.rank(), expected, kConfigName);
    }
    pair.scale = config.scale_of(module, pair.rank());
  }
}

void LoraAdapter::add(const std::string& stored_name, const StoredTensor& tensor) {
  const std::string where =
      fmt::format("[lora] {}: tensor '{}'", file_.path().string(), printable(stored_name));
  if (tensor.dtype != "F32" && tensor.dtype != "F16" && tensor.dtype != "BF16") {
    fail("{}: stored as {}, expected F32, F16 or BF16", where, tensor.dtype);
  }
  const AdapterName name = split_name(stored_name);
  for (const char* other : {"lora_magnitude_vector", "lora_ia3", "ia3_l", "hada_w", "lokr_w",
                            "vera_lambda", "oft_r", "prompt_embeddings"}) {
    if (stored_name.find(other) == std::string::npos) continue;
    fail("{}: belongs to another kind of adapter; only LoRA is implemented", where);
  }
  if (!name.part.starts_with("lora_")) {
    const std::string full = name.module.empty() ? name.part : name.module + "." + name.part;
    replacements_.emplace(full, &tensor);
    return;
  }
  if (stored_name.ends_with(".bias")) fail("{}: biases of LoRA are not implemented", where);
  if (tensor.shape.size() != 2 || tensor.elements() == 0) {
    fail("{}: shape [{}], expected a matrix", where, fmt::join(tensor.shape, ", "));
  }
  LoraPair& pair = pairs_[name.module];
  pair.transposed = name.part.starts_with("lora_embedding");
  const StoredTensor*& slot = name.part.ends_with('A') ? pair.a : pair.b;
  if (slot != nullptr) fail("{}: is there twice", where);
  slot = &tensor;
}

void LoraAdapter::check_pairs() const {
  const std::string where = "[lora] " + file_.path().string();
  if (pairs_.empty() && replacements_.empty()) fail("{}: holds no tensor", where);
  for (const auto& [module, pair] : pairs_) {
    if (pair.a == nullptr || pair.b == nullptr) {
      fail("{}: {} of '{}' is missing", where, pair.a == nullptr ? "lora_A" : "lora_B",
           printable(module));
    }
    if (pair.a->shape[0] != pair.b->shape[1]) {
      fail("{}: lora_A [{}] and lora_B [{}] of '{}' have no common rank", where,
           fmt::join(pair.a->shape, ", "), fmt::join(pair.b->shape, ", "), printable(module));
    }
  }
}

uint64_t LoraAdapter::fingerprint() const {
  uint64_t hash = fnv1a("");
  for (const auto& [name, tensor] : file_.tensors()) {
    const auto* bytes = reinterpret_cast<const char*>(tensor.bytes.data());
    hash = fnv1a({bytes, tensor.bytes.size()}, fnv1a(name, hash));
  }
  for (const auto& [module, pair] : pairs_) {
    hash = fnv1a({reinterpret_cast<const char*>(&pair.scale), sizeof pair.scale}, hash);
  }
  return hash;
}

void LoraAdapter::release() const { file_.file().release(file_.file().bytes()); }

std::string describe_adapter(const fs::path& directory) {
  try {
    const ConfigReader config(directory / LoraAdapter::kConfigName);
    const std::string type = config.optional_string("peft_type").value_or("");
    std::string out = type == "LORA" ? "a LoRA adapter" : "an adapter of type " + printable(type);
    if (const auto rank = config.optional_int("r")) out += fmt::format(" of rank {}", *rank);
    const auto base = config.optional_string("base_model_name_or_path");
    return base ? fmt::format("{} for the base model '{}'", out, printable(*base)) : out;
  } catch (const Error&) {
    return "an adapter (LoRA or another)";
  }
}

}  // namespace unmask
