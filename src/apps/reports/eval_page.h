// The report of an evaluation: one page that needs nothing else.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "eval/summary.h"

namespace unmask {

/// What the results were made with: names and values, in the order in which they are shown.
using EvalFacts = std::vector<std::pair<std::string, std::string>>;

/// `heads`: of the model, for the maps of retained attention.
std::string eval_page(const EvalFacts& facts, const Summary& summary, int heads);

}  // namespace unmask
