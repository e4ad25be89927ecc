// Loading and generating with somebody watching: progress, live view, trace, Ctrl-C.
#pragma once

#include <span>

#include "apps/options/arguments.h"
#include "apps/options/prompt.h"
#include "apps/reports/trace.h"
#include "apps/terminal/console.h"
#include "session/model.h"

namespace unmask {

/// What must be the same of the programs of all ranks.
RankFacts program_facts();
/// What `arguments` say about ranks.
JointOptions joint_options(const ModelArguments& arguments);

/// What `arguments` say about loading; throws Error for an adapter that is not there.
LoadOptions load_options(const ModelArguments& arguments, Console& console);

/// Loads the weights. `expected`: requests that will be answered one after the other. Throws Error
/// before any weight is there when they, what is kept of prefixes and the largest of these
/// requests, its caches included, do not fit into memory, and Stopped after Ctrl-C.
Model load_model(const ModelArguments& arguments, const ModelFiles& files,
                 std::span<const Request> expected, Console& console);

/// What to expect where no request is known yet: `tokens` masks that go through the network at
/// once.
Request whole_canvas(const ModelFiles& files, int tokens);

/// Bytes of the host that are left for requests beside the loaded weights; none where a device
/// holds them or nothing is known.
std::optional<int64_t> memory_for_requests(const ModelArguments& arguments, const Model& model);

/// By which an engine refuses what does not fit, and lets wait what does not fit beside others.
EngineOptions engine_options(const ModelArguments& arguments, Model& model);

struct Watch {
  ViewArguments view;
  Range shown;                   // positions of the canvas in the live view
  TraceWriter* trace = nullptr;  // optional
};

/// Runs one request of the model that `arguments` have loaded. Ctrl-C cancels it, also in the midst
/// of a step. Throws Error before the first step when its memory is not there.
Result denoise(const ModelArguments& arguments, Model& model, const Request& request,
               const Watch& watch, Console& console);

/// Tells a person what the model's maker has to say of it.
void show_note(const ModelFiles& files, Console& console);

/// Says why nothing is to be seen of an answer without visible text, and what to try.
void explain_blank(std::string_view text, const Result& result, Console& console);

/// "interrupted after step 3 of 64", of a cancelled request.
std::string interruption(const Request& request, const Result& result);

}  // namespace unmask
