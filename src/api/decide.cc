#include "unmask/decide.h"

#include <algorithm>
#include <iterator>

#include "api/access.h"
#include "api/options.h"
#include "api/translate.h"
#include "core/error.h"
#include "core/stop.h"
#include "eval/likelihood.h"
#include "session/decisions/calibration.h"
#include "session/decisions/decide.h"

namespace unmask_v0 {

namespace {

constexpr int kMostRows = 1024;  // of a pass
constexpr int kMostPermutations = 255;

/// Takes a piece of work to its end, a turn with the model for each pass.
template <typename Work>
void work_off(Model::Data& model, const Cancellation& cancellation, Work& work) {
  bool more = true;
  while (more) {
    const Turn turn(model);
    const Interruptible interruptible(model, cancellation);
    more = work.step(model.model.transformer(), kMostRows);
    if (cancellation.cancelled()) throw unmask::Stopped{};  // no device looks within a pass
  }
}

Score estimate(Model::Data& model, std::span<const Token> prompt, std::span<const Token> answer,
               const ScoreOptions& options, const Cancellation& cancellation) {
  if (options.samples < 1 || options.samples > 1'000'000) {
    unmask::fail("[score] samples: found {}, expected 1 to 1000000", options.samples);
  }
  std::vector<unmask::TokenId> tokens(prompt.begin(), prompt.end());
  tokens.insert(tokens.end(), answer.begin(), answer.end());
  check_tokens(tokens, model.model.config());
  const unmask::Range range{static_cast<int>(prompt.size()), static_cast<int>(tokens.size())};
  unmask::LikelihoodEstimate work(std::move(tokens), range, {options.samples, options.seed});
  work_off(model, cancellation, work);
  const unmask::Likelihood found = work.result();
  return {.log_likelihood = found.log_likelihood,
          .standard_error = found.standard_error,
          .tokens = range.size(),
          .samples = found.samples};
}

unmask::Question question_of(const Question& q) {
  if (q.kind == QuestionKind::yes_no) {
    if (!q.options.empty() && q.options.size() != 2) {
      unmask::fail("[decide] a question of yes and no: found {} options, expected 0 or 2",
                   q.options.size());
    }
    const auto means = [&](size_t i) {
      return q.options.empty() ? std::string() : q.options[i].description;
    };
    return unmask::make_predicate(q.text, means(0), means(1));
  }
  unmask::Question out{.type = q.kind == QuestionKind::choice ? unmask::QuestionType::choice
                                                              : unmask::QuestionType::score,
                       .instructions = q.text,
                       .options = {}};
  for (const AnswerOption& o : q.options) out.options.push_back({o.text, o.description});
  return out;
}

Answer answer_of(const unmask::Verdict& verdict, unmask::QuestionType type, double temperature) {
  Answer answer{.probabilities = unmask::probabilities(verdict, temperature),
                .label_mass = verdict.label_mass};
  const std::vector<double>& p = answer.probabilities;
  answer.best = static_cast<int>(std::distance(p.begin(), std::max_element(p.begin(), p.end())));
  const bool levels = type == unmask::QuestionType::score;
  answer.confidence = levels ? unmask::score_confidence(p) : unmask::choice_confidence(p);
  if (levels) answer.level = unmask::expected_level(p);
  return answer;
}

}  // namespace

Score Model::score(std::string_view prompt, std::string_view answer, const ScoreOptions& options,
                   const Cancellation& cancellation) const {
  return translated([&] {
    const unmask::ModelFiles& files = data_->model.files();
    const unmask::PromptOptions how{
        .raw = options.raw, .system = options.system, .format = options.chat_template};
    return estimate(*data_, unmask::encode_question(files, how, std::string(prompt)),
                    unmask::encode_answer(files, how, std::string(answer)), options, cancellation);
  });
}

Score Model::score_tokens(std::span<const Token> prompt, std::span<const Token> answer,
                          const ScoreOptions& options, const Cancellation& cancellation) const {
  return translated([&] { return estimate(*data_, prompt, answer, options, cancellation); });
}

std::vector<Answer> Model::decide(std::string_view state, std::span<const Question> questions,
                                  const DecideOptions& options,
                                  const Cancellation& cancellation) const {
  return translated([&] {
    if (options.permutations < 1 || options.permutations > kMostPermutations) {
      unmask::fail("[decide] permutations: found {}, expected 1 to {}", options.permutations,
                   kMostPermutations);
    }
    std::vector<unmask::Question> asked;
    for (const Question& q : questions) asked.push_back(question_of(q));
    const unmask::DecideOptions how{.text_labels = options.text_labels,
                                    .permutations = options.permutations};
    std::optional<unmask::DecisionCalibration> calibration;
    if (options.calibration) {
      calibration = unmask::read_calibration(*options.calibration);
      if (!calibration->covers(how)) {
        unmask::fail("[decide] {}: was fitted to other labels or permutations",
                     unmask::printable(*options.calibration));
      }
    }
    const unmask::Decider decider(data_->model.files(), options.chat_template);
    unmask::Deliberation work = decider.ask(std::string(state), asked, how);
    work_off(*data_, cancellation, work);
    const std::vector<unmask::Verdict> verdicts = work.verdicts();
    std::vector<Answer> answers;
    for (size_t i = 0; i < asked.size(); ++i) {
      answers.push_back(answer_of(verdicts[i], asked[i].type,
                                  calibration ? calibration->temperature(asked[i].type) : 1));
    }
    return answers;
  });
}

}  // namespace unmask_v0
