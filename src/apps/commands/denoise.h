// Loading and generating with somebody watching: progress, live view, trace, Ctrl-C.
#pragma once

#include "apps/options/arguments.h"
#include "apps/options/prompt.h"
#include "apps/reports/trace.h"
#include "apps/terminal/console.h"
#include "session/model.h"

namespace unmask {

/// Loads the weights, with a warning when they and a canvas of `canvas` tokens will hardly fit into
/// memory. Throws Interrupted after Ctrl-C.
Model load_model(const ModelArguments& arguments, const ModelFiles& files, int canvas,
                 Console& console);

struct Watch {
  ViewArguments view;
  Range shown;                   // positions of the canvas in the live view
  TraceWriter* trace = nullptr;  // optional
};

/// Runs one request. Ctrl-C cancels it.
Result denoise(Model& model, const Request& request, const Watch& watch, Console& console);

}  // namespace unmask
