// The first part of an answer as it goes over the wire.
#pragma once

#include <string>

#include "serve/http/message.h"

namespace unmask::http {

/// 16 hexadecimal digits that nobody can guess.
std::string random_id();

/// Status line, Date and the headers, with the blank line. Throws LogicError for a header that
/// would break out of its line.
std::string head_text(int status, const Headers& headers);

/// False for 204 and 304, which have neither a body nor a length.
bool has_body(int status);

}  // namespace unmask::http
