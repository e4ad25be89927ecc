// Errors of the engine, as the interface tells them.
#pragma once

#include "unmask/error.h"

namespace unmask_v0 {

/// Throws the exception that is being handled as the interface has it: std::bad_alloc and Error as
/// they are, anything else as an Error.
[[noreturn]] void throw_translated();

/// Runs `work` and translates what it throws.
template <typename Work>
decltype(auto) translated(const Work& work) {
  try {
    return work();
  } catch (...) {
    throw_translated();
  }
}

}  // namespace unmask_v0
