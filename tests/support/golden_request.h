// The request that a golden case of a whole generation describes.
#pragma once

#include "generate/engine.h"
#include "support/golden.h"

namespace unmask::golden {

inline Request request_of(const Case& c, const ModelConfig& config) {
  const auto& params = c.json["params"];
  EXPECT_EQ(params["mask_id"], config.mask_id);
  Request request = append_masks(c.json["prompt"], params["gen_length"], config.mask_id);
  request.steps = params["steps"];
  request.cfg_scale = params.value("cfg_scale", 0.0);
  if (params.contains("block_length")) request.block_length = params["block_length"];
  request.sampler.algorithm =
      parse_algorithm(std::string(params.contains("alg") ? params["alg"] : params["remasking"]));
  request.sampler.temperature = params["temperature"];
  request.sampler.alg_temp = params.value("alg_temp", 0.0);
  request.sampler.eps = params.value("eps", 1e-3F);
  if (const auto p = params.find("top_p"); p != params.end() && !p->is_null()) {
    request.sampler.top_p = p->get<double>();
  }
  if (const auto k = params.find("top_k"); k != params.end() && !k->is_null()) {
    request.sampler.top_k = k->get<int>();
  }
  return request;
}

}  // namespace unmask::golden
