// Checkpoints that some other tool has quantized. They are recognised, so that the message can say
// so; none is read.
#pragma once

#include <string>
#include <string_view>

namespace unmask {

class ConfigReader;

/// Throws Error (quantized) naming the method when the configuration says that the weights are
/// quantized: quantization_config (bitsandbytes, GPTQ, AWQ, FP8, ...), compression_config
/// (compressed-tensors), quantization (MLX).
void refuse_quantized(const ConfigReader& config);

/// Who stores tensors of such names, e.g. "GPTQ or AWQ" for "x.qweight"; empty for ordinary names.
std::string_view quantizer_of_tensor(std::string_view name);

}  // namespace unmask
