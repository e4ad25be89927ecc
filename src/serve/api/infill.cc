#include "serve/api/infill.h"

#include <algorithm>

#include "core/error.h"
#include "serve/api/hole_length.h"
#include "serve/api_error.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr int kFirstMasks = 4;  // of a hole that grows
constexpr int kDefaultInfill = 128;
constexpr int kMostChoices = 4;
constexpr size_t kShortestEcho = 4;  // bytes of the suffix that are taken for a repetition
constexpr size_t kMostExtras = 256;

struct Infill {
  std::string prefix;
  std::string suffix;
  std::vector<std::string> extras{};  // other texts, the oldest first
  int most = kDefaultInfill;
  int indent = 0;
  int choices = 1;
  std::optional<std::chrono::milliseconds> time_limit{};
  std::vector<std::string> response_fields{};
  std::optional<int> length{};
  bool truncated = false;
};

/// What llama.cpp's server answers with.
class InfillWording final : public Wording {
 public:
  InfillWording(Infill about, std::string model, int context)
      : about_(std::move(about)), model_(std::move(model)), context_(context) {}

  std::string object(bool /*streamed*/) const override { return "infill"; }
  std::string id_prefix() const override { return "infill-"; }
  Json choice(int /*index*/, const FinishedChoice& /*finished*/) const override { return {}; }
  Json opening(int /*index*/) const override { return {}; }
  Json piece(int /*index*/, const std::string& /*text*/) const override { return {}; }
  Json closing(int /*index*/, const FinishedChoice& /*finished*/) const override { return {}; }
  Json complete(Json reply, const std::vector<FinishedChoice>& finished) const override {
    Json all = Json::array();
    for (const FinishedChoice& one : finished) {
      all.push_back(reduced(whole(one, reply["usage"]["prompt_tokens"], reply["diffusion"])));
    }
    return about_.choices == 1 ? all[0] : all;
  }
  Json nothing() const {
    return reduced({{"content", ""}, {"stop", true}, {"stop_type", "limit"}, {"model", model_}});
  }

 private:
  /// Without what stands on either side of the hole already.
  std::string trimmed(std::string text) const {
    const auto blanks = std::min(text.find_first_not_of(" \t"), text.size());
    text.erase(0, std::min(blanks, static_cast<size_t>(about_.indent)));
    for (size_t n = std::min(text.size(), about_.suffix.size()); n >= kShortestEcho; --n) {
      if (!text.ends_with(std::string_view(about_.suffix).substr(0, n))) continue;
      text.resize(text.size() - n);
      break;
    }
    return text;
  }

  Json whole(const FinishedChoice& one, int prompt_tokens, const Json& diffusion) const {
    const double milliseconds = one.result.seconds * 1e3;
    const double each = one.tokens > 0 ? milliseconds / one.tokens : 0.0;
    const double rate = one.result.seconds > 0 ? one.tokens / one.result.seconds : 0.0;
    return {{"content", trimmed(one.text)},
            {"stop", true},
            {"stop_type", one.found_stop         ? "word"
                          : one.reason == "stop" ? "eos"
                                                 : "limit"},
            {"model", model_},
            {"tokens_predicted", one.tokens},
            {"tokens_evaluated", prompt_tokens},
            {"truncated", about_.truncated},
            {"generation_settings", {{"n_ctx", context_}}},
            {"timings",
             {{"prompt_n", prompt_tokens},
              {"prompt_ms", 0.0},
              {"prompt_per_token_ms", 0.0},
              {"prompt_per_second", 0.0},
              {"predicted_n", one.tokens},
              {"predicted_ms", milliseconds},
              {"predicted_per_token_ms", each},
              {"predicted_per_second", rate}}},
            {"diffusion", diffusion}};
  }

  /// The fields that the client wants, each under its path.
  Json reduced(Json reply) const {
    if (about_.response_fields.empty()) return reply;
    Json kept = Json::object();
    for (const std::string& path : about_.response_fields) {
      const auto slash = path.find('/');
      const Json* at =
          reply.contains(path.substr(0, slash)) ? &reply[path.substr(0, slash)] : nullptr;
      if (at != nullptr && slash != std::string::npos) {
        const std::string inner = path.substr(slash + 1);
        at = at->is_object() && at->contains(inner) ? &(*at)[inner] : nullptr;
      }
      if (at != nullptr) kept[path] = *at;
    }
    return kept;
  }

  Infill about_;
  std::string model_;
  int context_;
};

std::vector<std::string> read_extra_texts(Fields& body) {
  std::vector<std::string> extras;
  const auto elements = body.array("input_extra", 0, kMostExtras);
  for (size_t i = 0; i < elements.size(); ++i) {
    const std::string name = element_path("input_extra", i);
    if (!elements[i]->is_object()) body.refuse(name, "expected an object with a text");
    Fields extra(*elements[i], name + ".");
    const std::string text = extra.text("text").value_or("");
    extras.push_back("# FILE: " + extra.text("filename").value_or("") + "\n" + text);
    if (!extras.back().ends_with('\n')) extras.back() += '\n';
  }
  return extras;
}

int read_choices(Fields& body) {
  const json* value = body.find("n_cmpl");
  if (value == nullptr) return 1;
  const bool fits = value->is_number_integer() && *value >= 1 && *value <= kMostChoices;
  // llama.cpp's words, which editors look for.
  if (!fits) {
    throw invalid_value("n_cmpl", fmt::format("Field 'n_cmpl': Value must be between 1 <= value <= "
                                              "{}, but got {}",
                                              kMostChoices, shown(*value)));
  }
  return value->get<int>();
}

Infill read_infill(Fields& body) {
  Infill infill{.prefix = body.text("input_prefix").value_or(""),
                .suffix = body.text("input_suffix").value_or("")};
  infill.prefix += body.text("prompt").value_or("");
  infill.extras = read_extra_texts(body);
  const int most = static_cast<int>(body.whole("n_predict", -1, 1 << 20).value_or(kDefaultInfill));
  infill.most = most < 0 ? kDefaultInfill : most;
  infill.indent = body.count("n_indent", 0).value_or(0);
  infill.choices = read_choices(body);
  const int milliseconds = body.count("t_max_predict_ms", 0).value_or(0);
  if (milliseconds > 0) infill.time_limit = std::chrono::milliseconds(milliseconds);
  for (const json* field : body.array("response_fields", 0, 64)) {
    if (!field->is_string()) body.refuse("response_fields", "expected strings");
    infill.response_fields.push_back(field->get<std::string>());
  }
  if (body.flag("stream").value_or(false)) {
    body.refuse("stream", "expected false: /v1/completions with a suffix streams",
                "unsupported_parameter");
  }
  return infill;
}

/// The texts before the hole; extras go, the oldest first, until everything fits.
std::string text_before(Infill& infill, const ApiContext& context) {
  const auto count = [&](const std::string& text) {
    return static_cast<int64_t>(context.files.tokenizer().encode(text).size());
  };
  int64_t tokens = count(infill.prefix) + count(infill.suffix) + infill.most;
  std::string before;
  for (auto extra = infill.extras.rbegin(); extra != infill.extras.rend(); ++extra) {
    tokens += count(*extra);
    infill.truncated = infill.truncated || tokens > context.defaults.context;
    if (infill.truncated) break;
    before.insert(0, *extra);
  }
  return before + infill.prefix;
}

std::unique_ptr<GenerationPlan> plan_hole(const GenerationFields& fields, const Infill& infill,
                                          const std::string& before, int masks,
                                          const ApiContext& context) {
  auto plan = std::make_unique<GenerationPlan>();
  plan->fields = fields;
  const FillPart parts[] = {{before, masks}, {infill.suffix, 0}};
  const Request first = checked([&] {
    return build_fill_request(fields.options, context.files, parts, {}, &plan->fields.warnings);
  });
  check_context(first, context.defaults.context);
  check_memory({&first, 1}, context);
  for (int i = 0; i < infill.choices; ++i) {
    plan->requests.push_back(first);
    plan->requests.back().sampler.seed = seed_of_choice(fields.options.seed, i);
    plan->texts.push_back({.mask_id = context.files.config().mask_id,
                           .begin = first.prompt_length,
                           .end = first.prompt_length + masks,
                           .stops = fields.stops});
  }
  plan->wording = std::make_unique<InfillWording>(infill, context.model, context.defaults.context);
  plan->time_limit = infill.time_limit;
  return plan;
}

}  // namespace

Prepared prepare_infill(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  check_model(body, context);
  Infill infill = read_infill(body);
  GenerationFields fields = read_generation(body, context.defaults, [&](Fields& diffusion) {
    infill.length = read_infill_length(diffusion);
  });
  fields.choices = infill.choices;
  if (infill.most == 0) {  // an editor that warms up a cache of prompts, which there is not
    return {json_reply(InfillWording(infill, context.model, context.defaults.context).nothing())};
  }
  if (!infill.length && !fields.options.grow &&
      context.files.tokenizer().added_token("<|expand|>")) {
    infill.length = std::min(infill.most, kFirstMasks);  // such a model finds the length itself
    fields.options.grow = infill.most - *infill.length;
  }
  const std::string before = text_before(infill, context);
  std::vector<std::unique_ptr<GenerationPlan>> candidates;
  const std::vector<int> lengths =
      infill.length ? std::vector<int>{*infill.length} : hole_lengths(infill.most);
  candidates.reserve(lengths.size());
  for (const int masks : lengths) {
    candidates.push_back(plan_hole(fields, infill, before, masks, context));
  }
  return {.plan = plan_search(std::move(candidates))};
}

}  // namespace unmask
