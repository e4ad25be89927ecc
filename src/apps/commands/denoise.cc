#include "apps/commands/denoise.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include "apps/terminal/live_view.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "session/answer.h"
#include "session/find_model.h"

namespace unmask {

namespace {

constexpr size_t kMostOfNote = 300;  // bytes

/// How many processes share the weights.
int weight_ranks(const ModelArguments& arguments) {
  const bool split =
      arguments.communicator != nullptr && joint_options(arguments).split == RankSplit::columns;
  return split ? arguments.communicator->size() : 1;
}

/// Of the weights that this process packs.
int64_t own_weight_bytes(const ModelArguments& arguments, const Costs& costs) {
  return costs.weight_bytes() / weight_ranks(arguments);
}

/// Refuses what does not fit before any of it is there. A device says itself what does not.
void check_memory(const ModelArguments& arguments, const ModelFiles& files,
                  std::span<const Request> expected) {
  const WeightType weights = resolve_weight_type(
      parse_weight_type(arguments.dtype), DeviceKind::cpu, files.checkpoint(), files.config());
  const Costs costs(files.config(),
                    element_sizes(DeviceKind::cpu, weights, files.checkpoint(), files.config()),
                    weight_ranks(arguments));
  const auto allowed = memory_for(arguments);
  if (!allowed) return;
  const auto held = own_weight_bytes(arguments, costs) +
                    static_cast<int64_t>(prefix_cache_bytes(arguments, files.config(), expected));
  for (const Request& request : expected) {
    const int64_t need = held + costs.request_bytes(request);
    if (need <= *allowed) continue;
    fail(ErrorCode::memory,
         "[memory] {}: needs {} with {} weights, {} tokens and method {}, expected at most {}, {}",
         files.name(), format_bytes(need), weight_type_name(weights), request.most_tokens(),
         printable(request.method), format_bytes(*allowed),
         arguments.max_memory ? "as --max-memory says" : "what is free");
  }
}

/// What the files ask for that people may not expect.
void tell_about_files(const ModelFiles& files, std::span<const AdapterChoice> adapters,
                      Console& console) {
  const RopeScaling& rope = files.config().rope;
  if (rope.kind != RopeKind::plain) {
    const bool llada = files.config().family == Family::llada;
    console.err << fmt::format(
        "unmask: note: rope_scaling '{}' with factor {} of config.json is applied{}\n",
        rope_kind_name(rope.kind), rope.factor,
        llada ? ", which the published code of LLaDA does not do" : "");
  }
  const bool merged = std::any_of(adapters.begin(), adapters.end(), [&](const AdapterChoice& a) {
    std::error_code none;
    return std::filesystem::equivalent(a.directory, files.path(), none);
  });
  if (files.has_adapter() && !merged) {
    warn(console, "the LoRA adapter beside the model is not used; --lora {} merges it",
         files.path().string());
  }
}

}  // namespace

std::optional<int64_t> memory_for_requests(const ModelArguments& arguments, const Model& model) {
  const auto allowed = memory_for(arguments);
  if (model.device() != DeviceKind::cpu || !allowed) return std::nullopt;
  // The system tells the pages of a packed file to be free, since it could drop them.
  const bool counts_weights = arguments.max_memory || model.files().checkpoint().packed_type();
  const int64_t held = (counts_weights ? own_weight_bytes(arguments, model.costs()) : 0) +
                       static_cast<int64_t>(model.prefixes().most_bytes());
  return std::max<int64_t>(0, *allowed - held);
}

Request whole_canvas(const ModelFiles& files, int tokens) {
  Request all = append_masks({}, tokens, files.config().mask_id);
  all.steps = 1;
  return all;
}

EngineOptions engine_options(const ModelArguments& arguments, Model& model) {
  EngineOptions options{.prefixes = &model.prefixes()};
  const auto left = memory_for_requests(arguments, model);
  if (!left) return options;
  options.memory_limit = *left;
  options.planned_bytes = [costs = model.costs()](const Request& r) {
    return costs.request_bytes(r);
  };
  return options;
}

RankFacts program_facts() { return {{"version", UNMASK_VERSION}}; }

JointOptions joint_options(const ModelArguments& arguments) {
  return {.split = parse_rank_split(arguments.split), .verifies = arguments.verifies_ranks};
}

LoadOptions load_options(const ModelArguments& arguments, Console& console) {
  LoadOptions options{.weights = parse_weight_type(arguments.dtype),
                      .threads = threads_for(arguments.threads, console),
                      .stop = interrupt_token()};
  for (const std::string& a : arguments.adapters) {
    options.adapters.push_back(parse_adapter(a, hub_cache()));
  }
  const FoundDevice device = find_device(arguments.device);
  if (!device.missing.empty()) warn(console, "computing on the cpu: {}", device.missing);
  options.device = device.kind;
  options.progress = [](int64_t /*done*/, int64_t /*total*/) {
    if (interrupted()) throw Stopped{};
  };
  return options;
}

Model load_model(const ModelArguments& arguments, const ModelFiles& files,
                 std::span<const Request> expected, Console& console) {
  LoadOptions options = load_options(arguments, console);
  tell_about_files(files, options.adapters, console);
  if (options.device == DeviceKind::cpu) check_memory(arguments, files, expected);
  ProgressLine line(console.err, console.err_terminal);
  options.progress = [&, look = options.progress](int64_t done, int64_t total) {
    look(done, total);
    if (done == 0 || total == 0) return;
    const double share = static_cast<double>(done) / static_cast<double>(total);
    line.show(fmt::format("loading weights, {:.0f} %, {} left", 100 * share,
                          format_duration(line.seconds() / share * (1 - share))));
  };
  options.prefix_bytes = prefix_cache_bytes(arguments, files.config(), expected);
  std::optional<JointLoading> joint;
  if (arguments.communicator != nullptr) {
    joint.emplace(*arguments.communicator, program_facts(), joint_options(arguments));
    options.joint = &*joint;
  }
  return Model(files, options);
}

Result denoise(const ModelArguments& arguments, Model& model, const Request& request,
               const Watch& watch, Console& console) {
  // Without a terminal there is nothing to draw on.
  const bool live = watch.view.live && console.err_terminal;
  std::optional<LiveView> view;
  if (live) {
    view.emplace(console.err, model.tokenizer(), request,
                 LiveView::Options{watch.shown, model.config().mask_id,
                                   std::chrono::milliseconds(watch.view.delay)});
  }
  ProgressLine line(console.err, console.err_terminal && !live);
  StepMeter meter;
  const Range first_block{request.prompt_length, request.prompt_length + request.block_length};
  const auto on_step = [&](const StepEvent& event) {
    if (watch.trace != nullptr) watch.trace->add(event, first_block);
    if (view) {
      view->show(event);
    } else {
      meter.add(event, /*idle_seconds=*/0);
      line.show(meter.status());
    }
    return !interrupted();
  };
  return std::move(
      generate(model.transformer(), {&request, 1}, on_step, engine_options(arguments, model))
          .front());
}

void show_note(const ModelFiles& files, Console& console) {
  if (!console.err_terminal) return;
  const std::string note = printable(files.config().note, kMostOfNote);
  if (!note.empty()) tell(console, "{}: {}", files.name(), note);
}

void explain_blank(std::string_view text, const Result& result, Console& console) {
  if (result.cancelled || text.find_first_not_of(" \t\r\n") != std::string_view::npos) return;
  const bool ended = finish_reason(result) == "stop";
  warn(console, "the answer is blank: {}; try another prompt or template, {}",
       ended ? "the model ended it at once" : "the model filled it with what cannot be seen",
       ended ? "--suppress-eos, --defer-eos or another length" : "another length or --temperature");
}

std::string interruption(const Request& request, const Result& result) {
  if (result.steps == 0) return "interrupted before the first step was done";
  // How many steps a threshold or a canvas that grows takes, nobody knows.
  const bool grows = request.most_tokens() > static_cast<int>(request.tokens.size());
  const std::string of =
      grows || request.sampler.dynamic() ? "" : fmt::format(" of {}", request.steps);
  return fmt::format("interrupted after step {}{}", result.steps, of);
}

}  // namespace unmask
