// The message of an error, for tests that expect one.
#pragma once

#include <string>

#include "core/error.h"

namespace unmask::testing {

template <typename Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace unmask::testing
