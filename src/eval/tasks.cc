#include "eval/tasks.h"

#include <algorithm>
#include <fmt/ranges.h>

#include "core/error.h"

namespace unmask {

namespace {

constexpr GeneratedTask kTasks[] = {
    {"single", "one fact in a text without others", 32, make_single},
    {"multikey", "one of many facts", 32, make_multikey},
    {"multivalue", "all three values of one thing", 32, make_multivalue},
    {"multiquery", "four of many facts", 64, make_multiquery},
    {"vt", "the variables that hold a value, two steps", 32, make_tracking},
    {"cwe", "the ten common words of a list", 128, make_common_words},
    {"fwe", "the three most frequent code words", 64, make_frequent_words},
    {"qa1", "a fact about a person, asked in other words", 32, make_question},
    {"qa2", "a fact about a person, in two steps", 32, make_two_step_question},
};

}  // namespace

std::span<const GeneratedTask> generated_tasks() { return kTasks; }

std::vector<std::string> generated_task_names() {
  std::vector<std::string> names;
  for (const GeneratedTask& task : kTasks) names.emplace_back(task.name);
  return names;
}

const GeneratedTask& generated_task(std::string_view name) {
  const auto* found = std::find_if(std::begin(kTasks), std::end(kTasks),
                                   [&](const GeneratedTask& task) { return task.name == name; });
  if (found == std::end(kTasks)) {
    fail("[eval] unknown task '{}'; there is {}", printable(name),
         fmt::join(generated_task_names(), ", "));
  }
  return *found;
}

}  // namespace unmask
