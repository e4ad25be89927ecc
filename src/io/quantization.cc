#include "io/quantization.h"

#include <array>
#include <optional>
#include <utility>

#include "core/error.h"
#include "io/config_reader.h"

namespace unmask {

namespace {

std::string bits_of(const ConfigReader& section) {
  for (const char* key : {"bits", "w_bit", "wbits", "nbits"}) {
    if (!section.has(key)) continue;
    return fmt::format(", {} bits", section.optional_int(key).value_or(0));
  }
  if (section.optional_flag("load_in_4bit").value_or(false)) return ", 4 bits";
  if (section.optional_flag("load_in_8bit").value_or(false)) return ", 8 bits";
  return "";
}

/// bitsandbytes writes its settings also where nothing was quantized.
bool is_switched_off(const ConfigReader& section) {
  return section.has("load_in_4bit") && !*section.optional_flag("load_in_4bit") &&
         !section.optional_flag("load_in_8bit").value_or(false);
}

}  // namespace

void refuse_quantized(const ConfigReader& config) {
  constexpr std::array kSections{std::pair{"quantization_config", "an unnamed method"},
                                 std::pair{"compression_config", "compressed-tensors"},
                                 std::pair{"quantization", "MLX"}};
  for (const auto& [key, usual] : kSections) {
    const std::optional<ConfigReader> section = config.section(key);
    if (!section || is_switched_off(*section)) continue;
    const bool loads = section->has("load_in_4bit") || section->has("load_in_8bit");
    const std::string method =
        section->optional_string("quant_method").value_or(loads ? "bitsandbytes" : usual);
    fail(ErrorCode::quantized,
         "{}: key '{}' says that the weights are quantized ({}{}), which cannot be read; use the "
         "original model, with weights of bfloat16, float16 or float32",
         config.where(), key, printable(method), bits_of(*section));
  }
}

std::string_view quantizer_of_tensor(std::string_view name) {
  constexpr std::array kSuffixes{
      std::pair<std::string_view, std::string_view>{".absmax", "bitsandbytes"},
      std::pair<std::string_view, std::string_view>{".quant_map", "bitsandbytes"},
      std::pair<std::string_view, std::string_view>{".SCB", "bitsandbytes"},
      std::pair<std::string_view, std::string_view>{".weight_format", "bitsandbytes"},
      std::pair<std::string_view, std::string_view>{".qweight", "GPTQ or AWQ"},
      std::pair<std::string_view, std::string_view>{".qzeros", "GPTQ or AWQ"},
      std::pair<std::string_view, std::string_view>{".weight_packed", "compressed-tensors"},
      std::pair<std::string_view, std::string_view>{".weight_scale_inv", "FP8"},
      std::pair<std::string_view, std::string_view>{".weight_scale", "FP8 or compressed-tensors"},
      std::pair<std::string_view, std::string_view>{".scales", "MLX"},
      std::pair<std::string_view, std::string_view>{"_blocks", "MXFP4"}};
  if (name.find(".quant_state.") != std::string_view::npos) return "bitsandbytes";
  for (const auto& [suffix, who] : kSuffixes) {
    if (name.ends_with(suffix)) return who;
  }
  return {};
}

}  // namespace unmask
