// What `unmask tune` found: as a table and as a page.
#pragma once

#include <string>

#include "apps/draw/text_table.h"
#include "eval/tuning.h"

namespace unmask {

/// A profile a row; the last column says which is the best, which lie on the front of quality
/// against time, and which were given up.
TextTable tuning_table(const Tuning& tuning);
/// One line: what was chosen, and what it costs and saves.
std::string tuning_verdict(const Tuning& tuning);
/// The same with a plot of quality against time.
std::string tuning_page(const Tuning& tuning, const std::string& model);

}  // namespace unmask
