// What schema-true output costs with a vocabulary of LLaDA's size: once a model (the tries), once a
// schema (automaton and lift), and in each step (the scan of 32 rows of logits and the search).
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>
#include <random>

#include "constrain/schema.h"
#include "constrain/witness.h"

namespace unmask::benchmarks {
namespace {

constexpr int kTokens = 126'464;
constexpr int kRows = 32;

const char* const kPerson = R"({
  "type": "object", "additionalProperties": false,
  "properties": {
    "name": {"type": "string"}, "age": {"type": "integer"}, "score": {"type": "number"},
    "kind": {"enum": ["person", "company", "other"]},
    "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    "home": {"type": "object", "properties": {"street": {"type": "string"},
             "zip": {"type": "integer"}}, "required": ["street", "zip"]},
    "active": {"type": "boolean"}},
  "required": ["name", "age", "score", "kind", "tags", "home", "active"]})";
const char* const kBounded = R"({
  "type": "object",
  "properties": {
    "title": {"type": "string", "minLength": 1, "maxLength": 64},
    "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9a-z]{1,12}$"},
    "when": {"type": "string", "format": "date-time"},
    "note": {"type": "string", "maxLength": 60}, "free": {}},
  "required": ["code"]})";

/// Single bytes, punctuation in pairs, numbers, and words of letters with and without a blank, of
/// which 6 % hold characters of other scripts: what byte-pair encoding finds, in its proportions.
std::vector<std::string> vocabulary() {
  std::mt19937_64 random(1);
  std::vector<std::string> tokens;
  tokens.reserve(kTokens);
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  const std::string marks = "\"{}[]:, .-_()\\/\n";
  const std::string letters = "eeeeetttaaaooiinnsshhrrdlucmfwypvbgkqjxz";
  while (tokens.size() < kTokens - 2) {
    std::string token;
    const uint64_t kind = random() % 100;
    if (kind < 5) {
      for (uint64_t n = 2 + random() % 3; n > 0; --n) token += marks[random() % marks.size()];
    } else if (kind < 7) {
      token = std::to_string(random() % 1000);
    } else {
      if (kind < 60) token += ' ';
      for (uint64_t n = 2 + random() % 8; n > 0; --n) {
        token += kind < 13 ? std::string("\xd0") + static_cast<char>(0xb0 + random() % 16)
                           : std::string(1, letters[random() % letters.size()]);
      }
    }
    tokens.push_back(token);
  }
  tokens.resize(kTokens);
  return tokens;
}

const std::vector<std::string>& shared_vocabulary() {
  static const std::vector<std::string> tokens = vocabulary();
  return tokens;
}

const VocabularyTrie& shared_trie() {
  static const VocabularyTrie trie(shared_vocabulary(), {kTokens - 2});
  return trie;
}

void tries(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    const VocabularyTrie trie(shared_vocabulary(), {kTokens - 2});
    state.counters["nodes"] = static_cast<double>(trie.all().nodes.size());
  }
}

void compile(benchmark::State& state, const char* schema) {
  const auto json = nlohmann::ordered_json::parse(schema);
  for ([[maybe_unused]] auto _ : state) {
    state.counters["states"] = compile_schema(json).size();
  }
}

void lift(benchmark::State& state, const Automaton& bytes) {
  for ([[maybe_unused]] auto _ : state) {
    const TokenAutomaton lifted(bytes, shared_trie());
    state.counters["classes"] = lifted.n_classes();
    state.counters["edges"] = static_cast<double>(lifted.n_edges());
  }
}

/// Random rows, one after the other, as a forward pass leaves them.
const std::vector<float>& rows() {
  static const std::vector<float> values = [] {
    std::mt19937_64 random(2);
    std::normal_distribution<float> normal(0, 3);
    std::vector<float> out(size_t{kRows} * kTokens);
    for (float& x : out) x = normal(random);
    return out;
  }();
  return values;
}

void scan(const TokenAutomaton& automaton, std::vector<ClassMaxima>& maxima) {
  for (size_t row = 0; row < kRows; ++row) {
    class_maxima(std::span(rows()).subspan(row * kTokens, kTokens), automaton, maxima[row]);
  }
}

void scan_rows(benchmark::State& state, const Automaton& bytes) {
  const TokenAutomaton automaton(bytes, shared_trie());
  std::vector<ClassMaxima> maxima(kRows);
  for ([[maybe_unused]] auto _ : state) scan(automaton, maxima);
}

void search(benchmark::State& state, const Automaton& bytes) {
  const auto automaton = std::make_shared<const TokenAutomaton>(bytes, shared_trie());
  const Witness witness(automaton, 256);
  const std::vector<TokenId> block(kRows, -1);
  std::vector<ClassMaxima> maxima(kRows);
  scan(*automaton, maxima);
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(witness.search({block, /*mask_id=*/-1, /*behind=*/224}, maxima));
  }
}

void register_all() {
  benchmark::RegisterBenchmark("tries", tries)->Unit(benchmark::kMillisecond);
  const auto add = [](const std::string& name, const Automaton& bytes) {
    const auto with = [&](const char* part, auto* function) {
      benchmark::RegisterBenchmark((name + part).c_str(), function, bytes)
          ->Unit(benchmark::kMillisecond);
    };
    with("/lift", lift);
    with("/scan_32_rows", scan_rows);
    with("/search_32_rows", search);
  };
  const auto add_schema = [&](const std::string& name, const char* schema) {
    benchmark::RegisterBenchmark((name + "/compile").c_str(), compile, schema)
        ->Unit(benchmark::kMillisecond);
    add(name, compile_schema(nlohmann::ordered_json::parse(schema)));
  };
  add_schema("person", kPerson);
  add_schema("bounded", kBounded);
  add("json_object", compile_json_object());
}

}  // namespace
}  // namespace unmask::benchmarks

int main(int argc, char** argv) {
  unmask::benchmarks::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
