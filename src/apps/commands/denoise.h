// Loading and generating with somebody watching: progress, live view, trace, Ctrl-C.
#pragma once

#include "apps/options/arguments.h"
#include "apps/options/prompt.h"
#include "apps/reports/trace.h"
#include "apps/terminal/console.h"
#include "session/model.h"

namespace unmask {

/// Loads the weights. Throws Error before any of them is there when they and a canvas of `canvas`
/// tokens do not fit into memory, and Stopped after Ctrl-C.
Model load_model(const ModelArguments& arguments, const ModelFiles& files, int canvas,
                 Console& console);

/// Bytes of the host that are left for requests beside the loaded weights; none where a device
/// holds them or nothing is known.
std::optional<int64_t> memory_for_requests(const ModelArguments& arguments, const Model& model);

struct Watch {
  ViewArguments view;
  Range shown;                   // positions of the canvas in the live view
  TraceWriter* trace = nullptr;  // optional
};

/// Runs one request. Ctrl-C cancels it, also in the midst of a step.
Result denoise(Model& model, const Request& request, const Watch& watch, Console& console);

/// Tells a person what the model's maker has to say of it.
void show_note(const ModelFiles& files, Console& console);

/// Says why nothing is to be seen of an answer without visible text, and what to try.
void explain_blank(std::string_view text, const Result& result, Console& console);

/// "interrupted after step 3 of 64", of a cancelled request.
std::string interruption(const Request& request, const Result& result);

}  // namespace unmask
