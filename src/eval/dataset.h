// Examples from files of the user: JSON lines, one example a line.
//
//   {"prompt": "...", "answer": "...", "metric": "exact"}
//
// "question" may stand for "prompt", or "messages" with "role" and "content"; "answers" for several
// "answer". With "choices", a list of texts, "answer" is the right one's text or its number from 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/example.h"

namespace unmask {

/// The first `limit` examples of a file. `metric`: of lines that name none; without it, choice
/// where there are choices, none where there is no answer, else exact. Throws Error naming the line
/// that is no example.
std::vector<Example> read_dataset(const std::string& file, int limit,
                                  std::optional<Metric> metric = std::nullopt);

/// One line; `where` starts every message.
Example parse_example(std::string_view line, std::optional<Metric> metric,
                      const std::string& where);

}  // namespace unmask
