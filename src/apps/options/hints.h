// What the library's errors mean on the command line.
#pragma once

#include <string_view>

#include "core/error.h"

namespace unmask {

/// How to change what an error is about, as a sentence's end ("; use ..."); empty where the message
/// says it all.
std::string_view hint(ErrorCode code);

}  // namespace unmask
