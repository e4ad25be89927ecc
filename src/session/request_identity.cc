#include "session/request_identity.h"

#include <nlohmann/json.hpp>

#include "io/fnv1a.h"
#include "session/sampler_json.h"

namespace unmask {

namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// What sampler_json() does not tell.
Json rest_of(const SamplerOptions& s) {
  return {{"temperature", s.temperature},
          {"top_p", or_null(s.top_p)},
          {"top_k", or_null(s.top_k)},
          {"top_k_first", s.top_k_first},
          {"alg_temp", s.alg_temp},
          {"eps", s.eps},
          {"counts", s.counts ? Json(static_cast<int>(*s.counts)) : Json()},
          {"per_step", s.per_step},
          {"above", s.above},
          {"least", s.least},
          {"paced", s.paced},
          {"order", s.order},
          {"greedy", s.greedy},
          {"remask", s.remask},
          {"suppressed", s.suppressed},
          {"deferred", s.deferred},
          {"suppress_eos", s.suppress_eos},
          {"defer_eos", s.defer_eos},
          {"seed", s.seed}};
}

}  // namespace

uint64_t request_fingerprint(const Request& r) {
  const Json all{{"sampler", sampler_json(r)},
                 {"rest", rest_of(r.sampler)},
                 {"tokens", r.tokens},
                 {"prompt_length", r.prompt_length},
                 {"block_length", r.block_length},
                 {"first_block", r.first_block},
                 {"steps", r.steps},
                 {"steps_per_block", r.steps_per_block},
                 {"most_length", r.most_length},
                 {"end_in_sight", r.end_in_sight},
                 {"cfg_scale", r.cfg_scale},
                 {"method", r.method},
                 {"eos_ids", r.eos_ids},
                 {"early_stop", r.early_stop},
                 {"stop_after_block", r.stop_after_block},
                 {"answer_length", r.answer_length},
                 {"alternatives", or_null(r.alternatives)}};
  return fnv1a(all.dump());
}

}  // namespace unmask
