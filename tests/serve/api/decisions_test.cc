#include "serve/api/decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/api/asking.h"
#include "serve/api/errand_reply.h"
#include "serve/api/models.h"
#include "serve/api/systemone.h"
#include "session/model.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace unmask::testing;  // NOLINT(google-build-using-namespace)

using Prepare = Prepared (*)(const http::Request&, const ApiContext&);

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

/// Elements of an array, `count` times the same.
std::string repeat(const std::string& element, int count) {
  std::string all = element;
  for (int i = 1; i < count; ++i) all += ',' + element;
  return '[' + all + ']';
}

/// Different choices.
std::string choices(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += fmt::format(R"({}{{"value":"v{}"}})", i > 0 ? "," : "", i);
  return '[' + all + ']';
}

class DecisionsApi : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = std::make_unique<Model>(std::filesystem::path(UNMASK_DEMO_DIRECTORY),
                                     LoadOptions{.threads = 2});
  }
  static void TearDownTestSuite() { model_.reset(); }

  DecisionsApi() : context_(context_of(model_->files())) {
    context_.decisions.decider = std::make_shared<const Decider>(model_->files());
  }

  Json answer(Prepare prepare, const std::string& body) {
    const Prepared prepared = prepare(request_of(body), context_);
    Passes& passes = dynamic_cast<ErrandPlan&>(*prepared.plan).passes();
    while (passes.step(model_->transformer(), 1)) {
    }
    return passes.reply(context_, 0.5);
  }
  Json decide(const std::string& questions, const std::string& more = "") {
    return answer(prepare_decisions,
                  R"({"input":"Text: Mary lives in Oslo. John lives in Paris.",)" + more +
                      R"("questions":)" + questions + '}');
  }

  ApiError refused(Prepare prepare, const std::string& body) {
    return refusal([&] { prepare(request_of(body), context_); });
  }
  /// Expects a 400 for a body with these questions, naming `param`.
  void refused_questions(const std::string& questions, const std::string& param) {
    const ApiError error =
        refused(prepare_decisions, R"({"input":"x","questions":)" + questions + '}');
    EXPECT_EQ(error.status, 400) << questions;
    EXPECT_EQ(error.param, param) << error.message;
  }
  void refused_systemone(const std::string& question, const std::string& param) {
    const ApiError error =
        refused(prepare_systemone, R"({"state":"x","questions":{"q":)" + question + "}}");
    EXPECT_EQ(error.status, 400) << question;
    EXPECT_EQ(error.param, param) << error.message;
  }

  static std::unique_ptr<Model> model_;  // NOLINT(readability-identifier-naming): a member
  ApiContext context_;
};
std::unique_ptr<Model> DecisionsApi::model_;  // NOLINT(readability-identifier-naming)

constexpr const char* kPredicate =
    R"({"type":"predicate","name":"p","instructions":"Does Mary live in Oslo?"})";
constexpr const char* kChoice =
    R"({"type":"choice","instructions":"Where does Mary live?","choices":[
        {"value":"Mary lives in Paris."},{"value":true},
        {"value":"Mary lives in Oslo.","description":"in the north"},{"value":"false"}]})";
constexpr const char* kScore =
    R"({"type":"score","name":"s","instructions":"How many?","levels":[{"label":"none"},
        {"label":"one"},{"label":"two","description":"a pair"}]})";

TEST_F(DecisionsApi, AnswersInTheOrderOfTheQuestions) {
  const Json reply = decide(fmt::format("[{},{},{}]", kScore, kPredicate, kChoice));
  EXPECT_THAT(keys_of(reply), ElementsAre("model", "answers", "usage", "diffusion"));
  const Json& answers = reply["answers"];
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_THAT(keys_of(answers[0]),
              ElementsAre("type", "name", "score", "confidence", "probabilities"));
  EXPECT_EQ(answers[0]["probabilities"][2]["label"], "two");
  EXPECT_EQ(answers[0]["probabilities"][2]["value"], 2);
  EXPECT_THAT(keys_of(answers[1]), ElementsAre("type", "name", "probability"));
  EXPECT_EQ(answers[1]["name"], "p");
  EXPECT_THAT(keys_of(answers[2]),
              ElementsAre("type", "name", "choice", "confidence", "probabilities"));
  EXPECT_TRUE(answers[2]["name"].is_null());
  double sum = 0;
  for (const Json& option : answers[2]["probabilities"]) {
    sum += option["probability"].get<double>();
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_EQ(answers[2]["probabilities"][1]["value"], true);
  EXPECT_EQ(answers[2]["probabilities"][3]["value"], "false");
}

TEST_F(DecisionsApi, WordsAreAnsweredByTheModelOfThisProject) {
  const Json reply = decide(
      R"([{"type":"choice","instructions":"Where does Mary live?","choices":[
          {"value":"Mary lives in Paris."},{"value":"Mary lives in Oslo."}]}])",
      R"("diffusion":{"labels":"text"},)");
  EXPECT_EQ(reply["answers"][0]["choice"], "Mary lives in Oslo.");
  EXPECT_GT(reply["answers"][0]["confidence"], 0.9);
  EXPECT_GT(reply["diffusion"]["label_mass"][0], 0.9);
  EXPECT_EQ(reply["diffusion"]["labels"], "text");
}

TEST_F(DecisionsApi, SaysWhatItTook) {
  const Json reply =
      decide(fmt::format("[{0},{0}]", kPredicate), R"("diffusion":{"permutations":2},)");
  const Json& diffusion = reply["diffusion"];
  EXPECT_EQ(diffusion["forward_passes"], 4);
  EXPECT_EQ(diffusion["permutations"], 2);
  EXPECT_EQ(diffusion["seconds"], 0.5);
  EXPECT_EQ(diffusion["calibration"], "none");
  EXPECT_THAT(diffusion["label_mass"], SizeIs(2));
  // A mask and three given tokens behind each prompt.
  EXPECT_EQ(diffusion["rows"].get<int>(), reply["usage"]["input_tokens"].get<int>() + 4 * 4);
  EXPECT_EQ(reply["usage"]["output_tokens"], 0);
  EXPECT_EQ(reply["usage"]["total_tokens"], reply["usage"]["input_tokens"]);
  // This model was never trained to say yes or no.
  EXPECT_THAT(diffusion["warnings"][0].get<std::string>(), HasSubstr("question 0"));
}

TEST_F(DecisionsApi, ACalibrationHoldsForQuestionsPutTheSameWay) {
  const std::string questions = fmt::format("[{}]", kPredicate);
  const double plain = decide(questions)["answers"][0]["probability"];
  context_.decisions.calibration =
      DecisionCalibration{.temperatures = {0.5, 1, 1}, .fitted_on = "a test"};
  const Json sharper = decide(questions);
  EXPECT_EQ(sharper["diffusion"]["calibration"], "a test");
  const double squares = plain * plain + (1 - plain) * (1 - plain);
  EXPECT_NEAR(sharper["answers"][0]["probability"], plain * plain / squares, 1e-9);
  const Json other = decide(questions, R"("diffusion":{"permutations":2},)");
  EXPECT_EQ(other["diffusion"]["calibration"], "none");
  EXPECT_THAT(other["diffusion"]["warnings"][0].get<std::string>(), HasSubstr("not applied"));
  const Json props = Json::parse(show_props({}, context_).reply.body)["decisions"];
  EXPECT_EQ(props["max_choices"], 62);
  EXPECT_EQ(props["calibration"]["fitted_on"], "a test");
}

TEST_F(DecisionsApi, InputMayBeMessages) {
  const std::string questions = fmt::format(R"("questions":[{}])", kPredicate);
  const Json text = answer(prepare_decisions, R"({"input":"one two\n\nthree",)" + questions + '}');
  const Json messages =
      answer(prepare_decisions,
             R"({"input":[{"role":"user","content":[{"type":"input_text","text":"one "},
          {"type":"input_text","text":"two"}]},
          {"role":"user","type":"message","content":"three"}],)" +
                 questions + '}');
  EXPECT_EQ(messages["answers"], text["answers"]);
}

TEST_F(DecisionsApi, RefusesWhatIsNoQuestion) {
  refused_questions("[]", "questions");
  refused_questions(repeat(kPredicate, 65), "questions");
  refused_questions("[1]", "questions[0]");
  refused_questions("[{}]", "questions[0].type");
  refused_questions(R"([{"type":"x","instructions":"i"}])", "questions[0].type");
  refused_questions(R"([{"type":"predicate"}])", "questions[0].instructions");
  refused_questions(R"([{"type":"predicate","instructions":""}])", "questions[0].instructions");
  refused_questions(
      fmt::format(R"([{{"type":"predicate","instructions":"{}"}}])", std::string(4097, 'x')),
      "questions[0].instructions");
  const auto choice = [](const std::string& list) {
    return R"([{"type":"choice","instructions":"i","choices":)" + list + "}]";
  };
  refused_questions(choice(choices(1)), "questions[0].choices");
  refused_questions(choice(choices(256)), "questions[0].choices");
  refused_questions(choice(R"([{"value":"a"},{"value":"a"}])"), "questions[0].choices[1]");
  refused_questions(choice(R"([{"value":true},{"value":true}])"), "questions[0].choices[1]");
  refused_questions(choice(R"([{"value":"a"},{"value":3}])"), "questions[0].choices[1].value");
  refused_questions(choice(R"([{"value":"a"},{}])"), "questions[0].choices[1].value");
  refused_questions(
      R"([{"type":"score","instructions":"i","levels":)" + repeat(R"({"label":"a"})", 11) + "}]",
      "questions[0].levels");
  refused_questions(
      R"([{"type":"score","instructions":"i","levels":)" + repeat(R"({"label":"a"})", 2) + "}]",
      "questions[0].levels[1]");
}

TEST_F(DecisionsApi, RefusesOtherMembersByName) {
  const std::string questions = fmt::format(R"("questions":[{}])", kPredicate);
  const auto param = [&](const std::string& members) {
    const ApiError error = refused(prepare_decisions, '{' + members + ',' + questions + '}');
    EXPECT_EQ(error.status, 400);
    return error.param.value_or("null");
  };
  EXPECT_EQ(param(R"("input":3)"), "input");
  EXPECT_EQ(param(R"("input":[{"role":"system","content":"x"}])"), "input[0].role");
  EXPECT_EQ(param(R"("input":[{"role":"user","content":[{"type":"input_image"}]}])"),
            "input[0].content[0].type");
  EXPECT_EQ(param(R"("input":"x","stream":true)"), "stream");
  EXPECT_EQ(param(R"("input":"x","diffusion":{"label":"text"})"), "diffusion.label");
  EXPECT_EQ(param(R"("input":"x","diffusion":{"labels":"words"})"), "diffusion.labels");
  EXPECT_EQ(param(R"("input":"x","diffusion":{"permutations":0})"), "diffusion.permutations");
  context_.defaults.context = 30;
  EXPECT_EQ(param(R"("input":"x y z x y z x y z x y z")"), "input");
  const ApiError unknown =
      refused(prepare_decisions, R"({"model":"other","input":"x",)" + questions + '}');
  EXPECT_EQ(unknown.status, 404);
}

TEST_F(DecisionsApi, WithoutAChatTemplateThereAreNone) {
  context_.decisions = {.decider = {}, .obstacle = "no template"};
  const ApiError error =
      refused(prepare_decisions, fmt::format(R"({{"input":"x","questions":[{}]}})", kPredicate));
  EXPECT_EQ(error.code, "unsupported_parameter");
  EXPECT_EQ(error.message, "no template");
}

TEST_F(DecisionsApi, SystemoneAnswersByNameInTheOrderThatWasWritten) {
  const Json reply = answer(prepare_systemone, R"({"state":{"z":1,"a":"x"},"questions":{
      "zz":{"type":"noul","instructions":"i","criteria":{"true":"it is","false":"it is not"}},
      "a b":{"type":"choice","instructions":"i","criteria":{"yellow":null,"blue":"sky"}},
      "list":{"type":"choice","instructions":"i","criteria":["x","y"]},
      "s":{"type":"score","instructions":"i","criteria":["bad","good"]}}})");
  const Json& answers = reply["answers"];
  EXPECT_THAT(keys_of(answers), ElementsAre("zz", "a b", "list", "s"));
  EXPECT_THAT(keys_of(answers["zz"]), ElementsAre("type", "noul"));
  EXPECT_THAT(keys_of(answers["a b"]["probabilities"]), ElementsAre("yellow", "blue"));
  EXPECT_THAT(keys_of(answers["s"]),
              ElementsAre("type", "score", "probabilities", "confidence", "legend"));
  EXPECT_EQ(answers["s"]["legend"]["1"], "good");
  EXPECT_THAT(keys_of(reply["usage"]), ElementsAre("input_tokens", "output_tokens"));
}

TEST_F(DecisionsApi, SystemonePutsItsStateAsCompactJson) {
  const std::string questions = R"("questions":{"q":{"type":"noul","instructions":"i"}}})";
  const Json object =
      answer(prepare_systemone, R"({"state": { "z" : 1.0, "a": ["x \" y"] }, )" + questions);
  const Json text =
      answer(prepare_systemone, R"({"state":"{\"z\":1.0,\"a\":[\"x \\\" y\"]}",)" + questions);
  EXPECT_EQ(object["answers"], text["answers"]);
  EXPECT_EQ(object["usage"], text["usage"]);
}

TEST_F(DecisionsApi, SystemoneRefusesWhatIsNoQuestion) {
  refused_systemone("null", "questions.q");
  refused_systemone("{}", "questions.q.type");
  refused_systemone(R"({"type":"x","instructions":"i"})", "questions.q.type");
  refused_systemone(R"({"type":"noul"})", "questions.q.instructions");
  refused_systemone(R"({"type":"noul","instructions":"i","criteria":{"maybe":"x"}})",
                    "questions.q.criteria.maybe");
  refused_systemone(R"({"type":"choice","instructions":"i"})", "questions.q.criteria");
  refused_systemone(R"({"type":"choice","instructions":"i","criteria":{"one":null}})",
                    "questions.q.criteria");
  refused_systemone(R"({"type":"choice","instructions":"i","criteria":["a","a"]})",
                    "questions.q.criteria[1]");
  refused_systemone(R"({"type":"score","instructions":"i","criteria":["a"]})",
                    "questions.q.criteria");
  refused_systemone(R"({"type":"score","instructions":"i","criteria":["a",2]})",
                    "questions.q.criteria[1]");
  const auto param = [&](const std::string& body) {
    return refused(prepare_systemone, body).param.value_or("null");
  };
  EXPECT_EQ(param(R"({"state":3,"questions":{}})"), "state");
  EXPECT_EQ(param(R"({"state":"x","questions":{}})"), "questions");
  EXPECT_EQ(param(R"({"state":"x"})"), "questions");
}

}  // namespace
}  // namespace unmask
