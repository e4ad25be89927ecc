// Commands whose model several processes share.
#pragma once

#include <functional>

#include "apps/options/arguments.h"
#include "apps/terminal/console.h"

namespace unmask {

/// Does `work`, which reads, prints and returns the exit status, on rank 0 only where `model` asks
/// for ranks; the others then load the same model and compute with it until rank 0 is done. An
/// error in the midst of what all do ends all, after a line that names the rank.
int on_ranks(ModelArguments& model, const std::function<int()>& work, Console& console);

}  // namespace unmask
