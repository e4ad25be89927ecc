// Whatever preset, method or temperature: the answer to a request with a schema satisfies it, as
// another implementation judges, though the model has never seen JSON.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "constrain/automaton_walk.h"
#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer_spec.h"
#include "session/answer.h"
#include "session/constraints.h"
#include "session/request_builder.h"
#include "support/method_requests.h"
#include "support/schema_judge.h"

namespace unmask {
namespace {

using testing::draft_7;
using testing::Judge;
using testing::LoadedModel;
using Json = nlohmann::ordered_json;

constexpr const char* kSchema = R"({
  "type": "object", "additionalProperties": false,
  "properties": {
    "name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}},
    "kind": {"enum": ["person", "company"]},
    "home": {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
             "required": ["zip"]}},
  "required": ["name", "age", "kind"]})";

/// A tiny checkpoint with tokens that can write JSON.
struct TinyModel {
  explicit TinyModel(const std::string& checkpoint)
      : model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + checkpoint,
              create_cpu_backend({.threads = 1})),
        files(config(), tokenizer()) {}

  ModelConfig config() const {
    ModelConfig config = model.config;
    config.stop_ids = {499};
    return config;
  }
  static Tokenizer tokenizer() {
    TokenizerSpec spec{.origin = "test", .patterns = {R"([\s\S]+)"}};
    const std::vector<std::string> tokens = testing::small_vocabulary(100);
    std::set<std::string> known;
    for (size_t id = 0; id < tokens.size(); ++id) {
      std::string letters;
      for (const char c : tokens[id]) letters += byte_to_alphabet(static_cast<uint8_t>(c));
      if (letters.empty() || !known.insert(letters).second) continue;
      spec.vocab.emplace_back(letters, static_cast<TokenId>(id));
    }
    return Tokenizer::build(spec);
  }

  LoadedModel model;
  ModelFiles files;
};

class ConstrainedRequest : public ::testing::TestWithParam<std::string> {
 protected:
  /// What is wrong with the answer, empty when nothing is.
  std::string objections(const RequestOptions& options) {
    const Request request = build_request(options, tiny_.files, {1, 2, 3});
    const Result result = generate(tiny_.model.transformer, {&request, 1})[0];
    const std::string text = answer_text(tiny_.files.tokenizer(), result);
    const std::string wrong = judge_.objections(text);
    return wrong.empty() && result.masks_left == 0 ? "" : wrong + " in " + text;
  }
  RequestOptions options(int length) {
    return {.gen_length = length, .constraint = constraints_.schema(schema_)};
  }

  TinyModel tiny_{GetParam()};
  Constraints constraints_{tiny_.files};
  Json schema_ = Json::parse(kSchema);
  Judge judge_{draft_7(schema_)};
};

TEST_P(ConstrainedRequest, EveryPresetWritesADocument) {
  for (const PresetSettings& preset : presets()) {
    for (const int length : {64, 100}) {
      for (const double temperature : {0.0, 1.0}) {
        RequestOptions o = options(length);
        o.preset = preset.preset;
        o.temperature = temperature;
        EXPECT_EQ(objections(o), "") << preset.name << ' ' << length << ' ' << temperature;
      }
    }
  }
}

TEST_P(ConstrainedRequest, EveryMethodWritesADocument) {
  for (const std::string& method : testing::methods_of(GetParam())) {
    RequestOptions o = options(64);
    o.method = method;
    o.block_length = 16;
    o.steps = 32;
    if (method.find("greedy") != std::string::npos) o.algorithm = "random";
    EXPECT_EQ(objections(o), "") << method;
  }
}

TEST_P(ConstrainedRequest, TheShortestCanvasIsEnough) {
  RequestOptions o = options(1);
  o.gen_length = o.constraint->distance(TokenAutomaton::start());
  EXPECT_EQ(objections(o), "");
  o.max_tokens = *o.gen_length + 40;
  EXPECT_EQ(objections(o), "") << "with room behind it";
}

INSTANTIATE_TEST_SUITE_P(Tiny, ConstrainedRequest, ::testing::Values("llada-tiny", "dream-tiny"),
                         [](const auto& test) { return test.param.substr(0, 5); });

}  // namespace
}  // namespace unmask
