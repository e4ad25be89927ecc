// JSON schemas as automata: what a model may write so that its text satisfies a schema.
//
// The automaton accepts a part of the schema's documents: keys in the order of the schema, one
// blank after ':' and ',', no other white space and no undeclared keys. What cannot be promised is
// refused, never ignored.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "constrain/automaton.h"

namespace unmask {

/// Understood: type, properties, required, additionalProperties as a truth value, items,
/// prefixItems, minItems and maxItems to 16, enum, const, anyOf, oneOf of visibly disjoint schemas,
/// $ref into the schema to 6 levels, minLength and maxLength to 64, pattern, format (date, time,
/// date-time, uuid, email), bounds of integers, whole bounds of numbers. Annotations such as title
/// have no effect. A place without a schema takes any value that nests to 2 levels.
/// Throws Error (code `schema`, "[schema] POINTER: found X, expected Y") for everything else.
Automaton compile_schema(const nlohmann::ordered_json& schema);

/// Any object that nests to 4 levels.
Automaton compile_json_object();

/// A function that a model may call. `parameters` is the schema of its arguments, null for none.
struct ToolSchema {
  std::string name;
  const nlohmann::ordered_json* parameters = nullptr;
};

/// {"name": NAME, "arguments": ARGUMENTS} for one of `tools`, at least one. Errors as in
/// compile_schema(), their pointers starting with /tools/N/function/parameters.
Automaton compile_tool_calls(std::span<const ToolSchema> tools);

}  // namespace unmask
