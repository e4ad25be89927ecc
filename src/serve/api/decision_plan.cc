#include "serve/api/decision_plan.h"

#include "core/error.h"
#include "serve/api/errand_reply.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr int kMostPermutations = 255;
constexpr double kLittleMass = 0.05;

/// Prepared questions and how their answers are told.
class QuestionPasses final : public Passes {
 public:
  QuestionPasses(Deliberation deliberation, AskedQuestions asked, DecideOptions options)
      : deliberation_(std::move(deliberation)), asked_(std::move(asked)), options_(options) {}

  bool step(Transformer& model, int max_rows) override {
    return deliberation_.step(model, max_rows);
  }

  Json reply(const ApiContext& context, double seconds) const override {
    const auto& calibration = context.decisions.calibration;
    const bool covered = calibration && calibration->covers(options_);
    std::vector<std::string> warnings;
    if (calibration && !covered) {
      warnings.emplace_back(
          "the calibration was fitted to questions with other labels or permutations and is not "
          "applied");
    }
    const std::vector<Verdict> verdicts = deliberation_.verdicts();
    Json masses = Json::array();
    std::vector<std::vector<double>> shares;
    for (size_t i = 0; i < verdicts.size(); ++i) {
      const QuestionType type = asked_.questions[i].type;
      shares.push_back(probabilities(verdicts[i], covered ? calibration->temperature(type) : 1));
      masses.push_back(verdicts[i].label_mass);
      if (verdicts[i].label_mass < kLittleMass) {
        warnings.push_back(fmt::format(
            "question {}: the answers have {:.3f} of the probability; the model does not take this "
            "form for a question",
            i, verdicts[i].label_mass));
      }
    }
    const Json diffusion{{"forward_passes", deliberation_.passes()},
                         {"rows", deliberation_.rows()},
                         {"seconds", seconds},
                         {"label_mass", std::move(masses)},
                         {"labels", options_.text_labels ? "text" : "token"},
                         {"permutations", options_.permutations},
                         {"calibration", covered ? calibration->fitted_on : "none"},
                         {"warnings", warnings}};
    return {{"model", context.model},
            {"answers", asked_.tell(shares)},
            {"usage", asked_.usage(deliberation_.prompt_tokens())},
            {"diffusion", diffusion}};
  }

 private:
  Deliberation deliberation_;
  AskedQuestions asked_;
  DecideOptions options_;
};

DecideOptions read_options(Fields& body, const ApiContext& context) {
  DecideOptions options{.context = context.defaults.context};
  const json none = json::object();
  Fields diffusion = body.object("diffusion").value_or(Fields(none, "diffusion."));
  options.text_labels = diffusion.choice("labels", {"token", "text"}) == "text";
  options.permutations = diffusion.count("permutations", 1, kMostPermutations).value_or(1);
  diffusion.refuse_unknown();
  return options;
}

const Decider& decider_of(const ApiContext& context) {
  if (context.decisions.decider) return *context.decisions.decider;
  throw invalid_value("model", context.decisions.obstacle, "unsupported_parameter");
}

}  // namespace

std::string read_instructions(Fields& question) { return read_option(question, "instructions"); }

std::string read_option(Fields& option, const std::string& name) {
  const auto text = option.text(name, kMostInstructions);
  if (!text || text->empty()) option.refuse(name, "found nothing, expected a text");
  return *text;
}

size_t most_choices(const ApiContext& context) {
  return static_cast<size_t>(decider_of(context).most_choices());
}

Prepared prepare_questions(Fields& body, AskedQuestions asked, const ApiContext& context) {
  if (body.flag("stream").value_or(false)) {
    body.refuse("stream", "found true, expected false: answers come all at once",
                "unsupported_parameter");
  }
  const DecideOptions options = read_options(body, context);
  try {
    Deliberation deliberation = decider_of(context).ask(asked.state, asked.questions, options);
    check_canvas(static_cast<size_t>(deliberation.longest()), asked.state_member, context);
    return {.plan = std::make_unique<ErrandPlan>(std::make_unique<QuestionPasses>(
                std::move(deliberation), std::move(asked), options))};
  } catch (const Error& error) {
    const bool long_text = error.code() == ErrorCode::canvas_length;
    throw invalid_value(long_text ? asked.state_member : "questions", error.what(),
                        long_text ? "context_length_exceeded" : "invalid_value");
  }
}

}  // namespace unmask
