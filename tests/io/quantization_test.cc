#include "io/quantization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/config_reader.h"

namespace unmask {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string quantized_reason(const json& config) {
  try {
    refuse_quantized(ConfigReader(config.dump(), "config.json"));
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::quantized);
    return error.what();
  }
}

TEST(Quantization, ConfigurationsAreRefusedByTheirMethod) {
  const auto config = [](const json& q) { return json{{"quantization_config", q}}; };
  for (const char* method : {"gptq", "awq", "fp8", "compressed-tensors", "hqq", "mxfp4"}) {
    EXPECT_THAT(quantized_reason(config({{"quant_method", method}, {"bits", 4}})),
                AllOf(HasSubstr(method), HasSubstr("quantized"), HasSubstr("4 bits"),
                      HasSubstr("original model")));
  }
  EXPECT_THAT(quantized_reason(config({{"load_in_4bit", true}})),
              AllOf(HasSubstr("bitsandbytes"), HasSubstr("4 bits")));
  EXPECT_THAT(quantized_reason(config({{"quant_method", "bitsandbytes"}, {"load_in_8bit", true}})),
              HasSubstr("8 bits"));
  EXPECT_THAT(quantized_reason({{"quantization", {{"group_size", 64}, {"bits", 4}}}}),
              HasSubstr("MLX"));
  EXPECT_THAT(quantized_reason({{"compression_config", {{"format", "pack-quantized"}}}}),
              HasSubstr("compressed-tensors"));
}

TEST(Quantization, WhatIsSwitchedOffIsNone) {
  EXPECT_EQ(quantized_reason(json::object()), "");
  EXPECT_EQ(quantized_reason({{"quantization_config", nullptr}}), "");
  EXPECT_EQ(
      quantized_reason(
          {{"quantization_config",
            {{"quant_method", "bitsandbytes"}, {"load_in_4bit", false}, {"load_in_8bit", false}}}}),
      "");
}

TEST(Quantization, NamesOfTensorsTellTheTool) {
  EXPECT_EQ(quantizer_of_tensor("a.q_proj.weight.absmax"), "bitsandbytes");
  EXPECT_EQ(quantizer_of_tensor("a.weight.quant_state.bitsandbytes__nf4"), "bitsandbytes");
  EXPECT_EQ(quantizer_of_tensor("a.q_proj.qweight"), "GPTQ or AWQ");
  EXPECT_EQ(quantizer_of_tensor("a.q_proj.weight_scale_inv"), "FP8");
  EXPECT_EQ(quantizer_of_tensor("a.q_proj.scales"), "MLX");
  EXPECT_EQ(quantizer_of_tensor("model.layers.0.self_attn.q_proj.weight"), "");
}

}  // namespace
}  // namespace unmask
