#include "session/sampler_json.h"

#include <nlohmann/json.hpp>

namespace unmask {

nlohmann::ordered_json sampler_json(const Request& request) {
  using Json = nlohmann::ordered_json;
  const SamplerOptions& sampler = request.sampler;
  Json out = {{"algorithm", algorithm_name(sampler.algorithm)},
              {"threshold", sampler.threshold ? Json(*sampler.threshold) : Json()}};
  if (sampler.leap) {
    out["leap"] = sampler.leap->threshold;
    out["leap_radius"] = sampler.leap->radius;
  }
  if (sampler.credit) out["credit"] = true;
  if (sampler.drafts) out["drafts"] = *sampler.drafts;
  if (sampler.factor) out["factor"] = *sampler.factor;
  if (sampler.editing) out["edit"] = sampler.editing->threshold;
  if (sampler.attach_eos) out["attach_eos"] = true;
  if (request.growth) out["grow"] = request.growth->expansions;
  return out;
}

}  // namespace unmask
