// Reading heads of requests: what Beast lets pass and we do not.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "serve/http/beast.h"
#include "serve/http/message.h"
#include "serve/http/server.h"

namespace unmask::http {

using ParsedHead = Parser::value_type::header_type;

/// The head of a request, or the refusal of one that is malformed, ambiguous (whose body could end
/// elsewhere for another program) or beyond the limits. `raw` is its text.
std::variant<Head, Reply> read_head(const ParsedHead& parsed, std::string_view raw,
                                    const Limits& limits);

/// The refusal of a head that has grown too large; `raw` is what there is of it.
Reply refuse_large_head(std::string_view raw, const Limits& limits);

/// The refusal of what the parser could not read.
Reply refuse_syntax(const error_code& error, const Limits& limits);

/// True for a client that waits for "100 Continue" before it sends the body.
bool expects_continue(const Head& head);

}  // namespace unmask::http
