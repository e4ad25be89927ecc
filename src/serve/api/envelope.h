// What replies of several endpoints have in common.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "generate/engine.h"
#include "serve/api/context.h"
#include "serve/api_error.h"

namespace unmask {

using Json = nlohmann::ordered_json;

/// A value as a reply's body or a stream's data: compact, as editors expect it that look for
/// `"content":"` in the text. Bytes that are no UTF-8 become U+FFFD.
std::string compact(const Json& value);

http::Reply json_reply(const Json& value);
http::Reply error_reply(const ApiError& error);
/// {"error":{"message","type","param","code"}}
Json error_body(const ApiError& error);

/// An event of a stream.
std::string event(const Json& value);

/// Tokens of prompt and answers, in the words of OpenAI's API; `reused` of the prompt's were not
/// computed.
Json usage(int prompt_tokens, int answer_tokens, int reused = 0);

/// What a generation was: its settings and what they cost, all choices together.
struct Report {
  const Request& request;  // the first choice
  const GenerationFields& fields;
  const std::vector<Result>& results;
  int answer_tokens = 0;
};
Json diffusion_report(const Report& report);

/// Tokens of a canvas that are given.
int given_tokens(const Request& request, TokenId mask_id);

}  // namespace unmask
