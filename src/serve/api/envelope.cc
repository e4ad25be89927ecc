#include "serve/api/envelope.h"

#include <algorithm>

#include "serve/http/error_reply.h"
#include "session/sampler_json.h"

namespace unmask {

std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

http::Reply json_reply(const Json& value) { return {.body = compact(value)}; }

Json error_body(const ApiError& error) {
  const Json param = error.param ? Json(*error.param) : Json();
  const Json code = error.code.empty() ? Json() : Json(error.code);
  return {{"error",
           {{"message", error.message}, {"type", error.type}, {"param", param}, {"code", code}}}};
}

http::Reply error_reply(const ApiError& error) {
  http::Reply reply{.status = error.status, .body = compact(error_body(error))};
  if (error.retry_after > 0) {
    reply.headers.push_back({"Retry-After", std::to_string(error.retry_after)});
  }
  return reply;
}

std::string event(const Json& value) { return "data: " + compact(value) + "\n\n"; }

Json usage(int prompt_tokens, int answer_tokens, int reused) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", answer_tokens},
          {"total_tokens", prompt_tokens + answer_tokens},
          {"prompt_tokens_details", {{"cached_tokens", reused}}}};
}

Json diffusion_report(const Report& report) {
  int64_t rows = 0;
  int steps = 0;
  int passes = 0;
  size_t canvas = 0;
  double seconds = 0;
  double first = 0;
  bool early = false;
  bool forced = false;
  for (const Result& r : report.results) {
    rows += r.rows;
    steps = std::max(steps, r.steps);
    passes += r.forward_passes;
    canvas = std::max(canvas, r.tokens.size());
    seconds = std::max(seconds, r.seconds);
    first = std::max(first, r.seconds_to_first_text);
    early |= r.stopped_early;
    forced |= r.hurried;
  }
  const SamplerOptions& sampler = report.request.sampler;
  Json about = {{"preset", preset_name(report.fields.options.preset)},
                {"method", report.request.method}};
  about.update(sampler_json(report.request));
  about.update({{"steps", steps},
                {"forward_passes", passes},
                {"rows", rows},
                {"canvas", canvas},
                {"block_length", report.request.block_length},
                {"seed", sampler.seed},
                {"seconds", seconds},
                {"seconds_to_first_text", first},
                {"tokens_per_forward",
                 passes > 0 ? static_cast<double>(report.answer_tokens) / passes : 0.0},
                {"stopped_early", early},
                {"ignored", report.fields.ignored},
                {"warnings", report.fields.warnings}});
  if (report.request.constraint) about["constraint"] = {{"forced", forced}};
  if (report.fields.tool_decision) about["tool_decision"] = *report.fields.tool_decision;
  return about;
}

int given_tokens(const Request& request, TokenId mask_id) {
  return static_cast<int>(std::count_if(request.tokens.begin(), request.tokens.end(),
                                        [&](TokenId token) { return token != mask_id; }));
}

}  // namespace unmask
