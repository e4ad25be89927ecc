// Answers that say what was wrong.
#pragma once

#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace unmask::http {

/// The class of an error in the words of OpenAI's API: what `type` says for a status.
std::string_view error_type(int status);

/// {"error":{"message","type","param","code"}} with the type that belongs to the status. `param`
/// names a key of the request; empty: null. Bytes that are no UTF-8 become U+FFFD.
Reply error_reply(int status, std::string_view code, std::string_view message,
                  std::string_view param = {});

}  // namespace unmask::http
