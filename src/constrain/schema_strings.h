// The strings of a JSON schema: lengths, patterns and formats.
#pragma once

#include "constrain/expression.h"
#include "constrain/schema_node.h"

namespace unmask {

/// Strings, with their quotes, of a schema with minLength, maxLength, pattern and format, of which
/// all must hold.
Expression schema_string(Expressions& expressions, const SchemaNode& node);

}  // namespace unmask
