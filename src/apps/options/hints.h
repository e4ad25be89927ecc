// What the library's errors mean on the command line.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace unmask {

/// How to change what an error is about, as a sentence's end ("; use ..."); empty where the message
/// says it all.
std::string_view hint(ErrorCode code);

/// The message of an error with its hint, and with options where the library names its own fields.
std::string as_typed(const Error& error);

}  // namespace unmask
