// What clients send: schemas and bodies of requests.
#include <nlohmann/json.hpp>

#include "constrain/automaton_walk.h"
#include "constrain/schema.h"
#include "io/json_file.h"
#include "serve/api/asking.h"
#include "serve/api_error.h"
#include "serve/routes.h"
#include "support.h"
#include "targets.h"

namespace unmask::fuzz {

namespace {

constexpr size_t kMostSchema = size_t{16} << 10;

}  // namespace

void schema(std::string_view input) {
  refused([&] {
    const auto schema = parse_ordered_json(input, "[schema] fuzz", {.max_bytes = kMostSchema});
    const Automaton automaton = compile_schema(schema);
    require(automaton.size() <= 4096, "automata stay small");
    std::mt19937_64 random(input.size());
    for (const int free : {0, 30}) {
      const std::string text = testing::random_text(automaton, free, random);
      require(automaton.accepts(text), "a walk ends in a text of the language");
      require(nlohmann::json::accept(text), "a text of a schema is JSON");
    }
  });
}

void request(std::string_view input) {
  static const ApiContext context = testing::demo_context();
  const std::string_view path = take_part(input);
  for (const Route& route : routes()) {
    if (route.path != path) continue;
    try {
      const bool refusal = refused([&] {
        const Prepared prepared = route.prepare(testing::request_of(std::string(input)), context);
        require(prepared.plan || !prepared.reply.body.empty(), "a request leads to an answer");
      });
      (void)refusal;
    } catch (const ApiError& error) {
      require(error.status >= 400 && error.status < 600, "a refusal has the status of one");
      require(!error.message.empty(), "a refusal says why");
    }
  }
}

}  // namespace unmask::fuzz
