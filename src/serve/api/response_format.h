// Answers that are JSON of a certain form: what a request says of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "serve/api_error.h"
#include "serve/fields.h"
#include "serve/generation_fields.h"
#include "session/constraints.h"

namespace unmask {

/// The member "response_format": text (nothing), json_object or json_schema. `text` is that of the
/// whole request. Throws ApiError: unsupported_schema, `param` the place in the schema, for one
/// that cannot be promised.
std::optional<AnswerForm> read_response_format(Fields& body, std::string_view text,
                                               Constraints& constraints);
/// The member "json_schema" of "diffusion", a schema. Errors as above.
std::optional<AnswerForm> read_json_schema(Fields& diffusion, std::string_view text,
                                           Constraints& constraints);

/// Throws ApiError (unsupported_parameter) for what a request with such an answer cannot have.
void check_beside_schema(const GenerationFields& fields);

/// A schema's fault as a client hears of it: `param` is `path` and the pointer in the message.
ApiError unsupported_schema(const Error& error, const std::string& path);

}  // namespace unmask
