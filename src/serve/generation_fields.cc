#include "serve/generation_fields.h"

#include <algorithm>
#include <array>
#include <limits>
#include <random>

#include "core/error.h"
#include "core/random.h"
#include "serve/api_error.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr int kMostStops = 4;
constexpr size_t kMostStopBytes = 256;
constexpr int64_t kLargestSeed = std::numeric_limits<int64_t>::max();

/// A member of other engines and its neutral value, which asks for nothing.
struct Foreign {
  const char* name;
  double neutral;
};
constexpr Foreign kForeign[] = {{"min_p", 0},
                                {"typical_p", 1},
                                {"frequency_penalty", 0},
                                {"presence_penalty", 0},
                                {"repeat_penalty", 1},
                                {"repetition_penalty", 1}};

void note_foreign(Fields& body, GenerationFields& fields) {
  for (const Foreign& f : kForeign) {
    const json* value = body.find(f.name);
    if (value == nullptr) continue;
    if (!value->is_number() || value->get<double>() != f.neutral)
      fields.ignored.emplace_back(f.name);
  }
  for (const char* name : {"logit_bias", "samplers"}) {
    const json* value = body.find(name);
    if (value != nullptr && !value->empty()) fields.ignored.emplace_back(name);
  }
}

std::vector<std::string> read_stops(Fields& body) {
  const json* value = body.find("stop");
  if (value == nullptr) return {};
  std::vector<const json*> all;
  if (value->is_array()) {
    all = body.array("stop", 0, kMostStops);
  } else {
    all.push_back(value);
  }
  std::vector<std::string> stops;
  for (const json* one : all) {
    if (!one->is_string()) {
      body.refuse("stop", fmt::format("found {}, expected strings", shown(*one)));
    }
    stops.push_back(one->get<std::string>());
    if (stops.back().empty() || stops.back().size() > kMostStopBytes) {
      body.refuse("stop", fmt::format("found a string of {} bytes, expected 1 to {}",
                                      stops.back().size(), kMostStopBytes));
    }
  }
  return stops;
}

uint64_t drawn_seed() {
  std::random_device device;
  return ((uint64_t{device()} << 32) | device()) & static_cast<uint64_t>(kLargestSeed);
}

/// top_p and top_k belong to Dream's samplers, which both families understand; without a
/// temperature there is nothing to filter.
void read_filters(Fields& body, RequestOptions& options) {
  const auto top_p = body.number("top_p", 0, 1);
  const auto top_k = body.count("top_k", 0);
  if (options.temperature.value_or(0) == 0) return;
  if (top_p && *top_p < 1) options.top_p = std::max(*top_p, 1e-6);
  if (top_k && *top_k > 0) options.top_k = top_k;
}

void read_diffusion(Fields& d, GenerationFields& fields) {
  RequestOptions& o = fields.options;
  if (d.find("preset") != nullptr) {
    o.preset = parse_preset(d.choice("preset", preset_names()));
    o.method.reset();
  }
  const auto take = [](auto found, auto& into) {
    if (found) into = found;
  };
  take(d.text("method", 1024), o.method);
  take(d.count("steps", 1), o.steps);
  take(d.count("tokens_per_step", 1), o.tokens_per_step);
  take(d.count("block_length", 1), o.block_length);
  take(d.count("gen_length", 1), o.gen_length);
  take(d.text("algorithm", 64), o.algorithm);
  take(d.number("alg_temp", 0, 100), o.alg_temp);
  if (const auto eps = d.number("eps", 0, 1)) o.eps = static_cast<float>(*eps);
  take(d.number("threshold", 0, 1), o.threshold);
  take(d.number("factor", 0, 1e6), o.factor);
  take(d.number("edit", 0, 1), o.edit);
  take(d.number("leap", 0, 1), o.leap);
  take(d.count("leap_radius", 1), o.leap_radius);
  o.credit = d.flag("credit").value_or(o.credit);
  take(d.count("drafts", 2), o.drafts);
  take(d.count("grow", 0), o.grow);
  o.cfg_scale = d.number("cfg_scale", 0, 100).value_or(o.cfg_scale);
  o.suppress_eos = d.flag("suppress_eos").value_or(o.suppress_eos);
  o.defer_eos = d.flag("defer_eos").value_or(o.defer_eos);
  o.attach_eos = d.flag("attach_eos").value_or(o.attach_eos);
  o.early_stop = d.flag("early_stop").value_or(o.early_stop);
  fields.frames = d.choice("stream", {"text", "frames"}) == "frames";
  if (fields.frames && o.grow) {
    d.refuse("stream", "expected \"text\" with grow: a frame has no word for positions that move");
  }
  fields.max_fps = d.number("max_fps", 0.1, 60).value_or(fields.max_fps);
}

}  // namespace

GenerationFields read_generation(Fields& body, const ServeDefaults& defaults,
                                 const std::function<void(Fields&)>& own) {
  GenerationFields fields;
  fields.options = defaults.options;
  const auto seed = body.whole("seed", 0, kLargestSeed);
  fields.options.seed = seed ? static_cast<uint64_t>(*seed) : drawn_seed();
  fields.options.temperature = body.number("temperature", 0, 2).value_or(0);
  read_filters(body, fields.options);
  fields.choices = body.count("n", 1, defaults.max_choices).value_or(1);
  fields.stops = read_stops(body);
  fields.stream = body.flag("stream").value_or(false);
  if (auto options = body.object("stream_options")) {
    fields.include_usage = options->flag("include_usage").value_or(false);
  }
  note_foreign(body, fields);
  const json none = json::object();
  Fields diffusion = body.object("diffusion").value_or(Fields(none, "diffusion."));
  read_diffusion(diffusion, fields);
  if (own) own(diffusion);
  diffusion.refuse_unknown();
  const bool filtered = fields.options.top_p || fields.options.top_k;
  if (filtered && !fields.options.algorithm) {
    fields.options.algorithm = algorithm_name(Algorithm::maskgit_plus);
  }
  return fields;
}

uint64_t seed_of_choice(uint64_t seed, int i) {
  if (i == 0) return seed;
  const auto random = Philox(seed)(static_cast<uint32_t>(i), 0xC401CEU);
  return ((uint64_t{random[0]} << 32) | random[1]) & static_cast<uint64_t>(kLargestSeed);
}

Request checked(const std::function<Request()>& build) {
  try {
    return build();
  } catch (const Error& error) {
    const bool room = error.code() == ErrorCode::schema;  // none for the shortest of its texts
    throw invalid_value(room ? "max_tokens" : "diffusion", error.what());
  }
}

void check_context(const Request& request, int context) {
  if (request.most_tokens() <= context) return;
  const int prompt = request.prompt_length;
  throw invalid_value(
      "max_tokens",
      fmt::format("[request] context: found {} tokens of prompt and {} to generate, expected at "
                  "most {} together",
                  prompt, request.most_tokens() - prompt, context),
      "context_length_exceeded");
}

}  // namespace unmask
