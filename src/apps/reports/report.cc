#include "apps/reports/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/platform/memory.h"
#include "session/sampler_json.h"

namespace unmask {

using json = nlohmann::ordered_json;

namespace {

double ratio(int64_t part, double whole) {
  return whole > 0 ? static_cast<double>(part) / whole : 0;
}

}  // namespace

nlohmann::ordered_json report(const Model& model, const ReportedRequest& about,
                              const Result& result, const std::string& text) {
  const Request& request = about.request;
  const TokenId mask_id = model.config().mask_id;
  const auto masks = std::count(request.tokens.begin(), request.tokens.end(), mask_id);
  const int answer = answer_tokens(request, result, mask_id);
  json out = {{"text", text},
              {"finish", finish_reason(result)},
              {"prompt_tokens", static_cast<int64_t>(request.tokens.size()) - masks},
              {"cached_tokens", result.reused},
              {"canvas", result.tokens.size()},
              {"answer_tokens", answer},
              {"masks_left", result.masks_left},
              {"steps", result.steps},
              {"forward_passes", result.forward_passes},
              {"rows", result.rows},
              {"tokens_per_forward", ratio(answer, result.forward_passes)},
              {"seconds_to_first_text", result.seconds_to_first_text},
              {"seconds", result.seconds},
              {"answer_tokens_per_second", ratio(answer, result.seconds)},
              {"peak_memory_bytes", peak_memory()},
              {"threads", model.threads()},
              {"device", device_kind_name(model.device())},
              {"dtype", weight_type_name(model.weight_type())},
              {"preset", preset_name(about.preset)},
              {"method", request.method},
              {"block_length", request.block_length}};
  out.update(sampler_json(request));
  out["seed"] = request.sampler.seed;
  out["model"] = model.files().path().string();
  if (request.constraint) out["constraint"] = {{"forced", result.hurried}};
  return out;
}

}  // namespace unmask
