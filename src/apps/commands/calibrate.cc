// `unmask calibrate`: how far a model's probabilities of decisions can be believed.
#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/draw/text_table.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "eval/calibration.h"
#include "eval/decision_questions.h"
#include "io/json_file.h"
#include "session/decisions/calibration.h"

namespace unmask {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr const char* kQuestionGroup = "Questions";
constexpr int kFewest = 12;  // two of each type to fit to, and two to measure with

/// The verdicts on questions of one type: half to fit to, half to measure with.
struct AskedQuestions {
  QuestionType type;
  std::vector<JudgedVerdict> fitted{};
  std::vector<JudgedVerdict> held_out{};
  double seconds = 0;  // of the passes
  double mass = 0;     // sum of label masses
  double temperature = 1;

  int count() const { return static_cast<int>(fitted.size() + held_out.size()); }
};

void ask(const CalibrateArguments& a, const Decider& decider, Model& model, int index,
         AskedQuestions& into) {
  const auto count = [&](std::string_view text) {
    return static_cast<int>(model.tokenizer().encode(text).size());
  };
  Draw draw(a.seed, question_type_name(into.type), a.length, index);
  const DecisionExample example = make_decision(into.type, draw, {a.length, count});
  const DecideOptions options{.text_labels = a.labels == "text", .permutations = a.permutations};
  Deliberation deliberation = decider.ask(example.state, {&example.question, 1}, options);
  const auto begin = Clock::now();
  while (deliberation.step(model.transformer(), a.batch_rows)) {
  }
  into.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
  JudgedVerdict judged{deliberation.verdicts()[0], example.right};
  into.mass += judged.verdict.label_mass;
  (index % 2 == 0 ? into.fitted : into.held_out).push_back(std::move(judged));
}

std::vector<AskedQuestions> ask_all(const CalibrateArguments& a, const Decider& decider,
                                    Model& model, Console& console) {
  std::vector<AskedQuestions> all{
      {QuestionType::predicate}, {QuestionType::choice}, {QuestionType::score}};
  ProgressLine line(console.err, console.err_terminal);
  for (int i = 0; i < a.questions; ++i) {
    line.show(fmt::format("question {} of {}", i + 1, a.questions));
    const auto types = static_cast<int>(all.size());
    ask(a, decider, model, i / types, all[static_cast<size_t>(i % types)]);
    if (interrupted()) throw Stopped{};
  }
  line.clear();
  for (AskedQuestions& asked : all) asked.temperature = fit_temperature(asked.fitted);
  return all;
}

/// The error of the questions that nothing was fitted to, all types together.
double held_out_error(const std::vector<AskedQuestions>& all, bool fitted) {
  double error = 0;
  double count = 0;
  for (const AskedQuestions& asked : all) {
    const auto n = static_cast<double>(asked.held_out.size());
    error += n * calibration_error(asked.held_out, fitted ? asked.temperature : 1);
    count += n;
  }
  return error / count;
}

DecisionCalibration calibration_of(const CalibrateArguments& a,
                                   const std::vector<AskedQuestions>& all,
                                   const std::string& model) {
  DecisionCalibration calibration{
      .text_labels = a.labels == "text",
      .permutations = a.permutations,
      .fitted_on = fmt::format("generated questions about people in texts of {} tokens, seed {}, "
                               "model {}",
                               a.length, a.seed, model),
      .ece_before = held_out_error(all, false),
      .ece_after = held_out_error(all, true)};
  for (const AskedQuestions& asked : all) {
    calibration.temperatures[static_cast<size_t>(asked.type)] = asked.temperature;
    calibration.count += static_cast<int>(asked.fitted.size());
  }
  return calibration;
}

Json to_json(const AskedQuestions& asked) {
  const double count = asked.count();
  return {{"type", question_type_name(asked.type)},
          {"questions", asked.count()},
          {"held_out", asked.held_out.size()},
          {"accuracy", accuracy(asked.held_out)},
          {"temperature", asked.temperature},
          {"ece_before", calibration_error(asked.held_out, 1)},
          {"ece_after", calibration_error(asked.held_out, asked.temperature)},
          {"log_loss_before", log_loss(asked.held_out, 1)},
          {"log_loss_after", log_loss(asked.held_out, asked.temperature)},
          {"label_mass", asked.mass / count},
          {"milliseconds", 1e3 * asked.seconds / count}};
}

std::string table_of(const std::vector<AskedQuestions>& all) {
  TextTable table{{"questions", "held out", "accuracy", "temperature", "ECE", "fitted", "log loss",
                   "fitted", "label mass", "ms"}};
  for (const AskedQuestions& asked : all) {
    const Json j = to_json(asked);
    std::vector<std::string> row{std::string(question_type_name(asked.type)),
                                 std::to_string(asked.held_out.size())};
    for (const char* key : {"accuracy", "temperature", "ece_before", "ece_after", "log_loss_before",
                            "log_loss_after", "label_mass"}) {
      row.push_back(fmt::format("{:.3f}", j[key].get<double>()));
    }
    row.push_back(fmt::format("{:.1f}", j["milliseconds"].get<double>()));
    table.rows.push_back(std::move(row));
  }
  return to_text(table);
}

void warn_of_limits(const std::vector<AskedQuestions>& all, Console& console) {
  for (const AskedQuestions& asked : all) {
    const bool inside = asked.temperature > kLowestTemperature * 1.01 &&
                        asked.temperature < kHighestTemperature / 1.01;
    if (inside) continue;
    warn(console, "the temperature of {} lies at a limit, {:.2f}: {}",
         question_type_name(asked.type), asked.temperature,
         asked.temperature > 1 ? "the answers say next to nothing about the questions"
                               : "too few questions, or all of them answered rightly");
  }
}

void add_question_arguments(CLI::App& app, CalibrateArguments& a) {
  app.add_option("--questions", a.questions, "Questions of all three types together (500)")
      ->check(CLI::Range(kFewest, 1'000'000).description(""))
      ->type_name("N")
      ->group(kQuestionGroup);
  app.add_option("--length", a.length, "Tokens of a text (128)")
      ->check(CLI::Range(128, 1'000'000).description(""))
      ->type_name("N")
      ->group(kQuestionGroup);
  restrict_to(app.add_option("--labels", a.labels,
                             "Answers by letters and digits, or in their own words (token)"),
              {"token", "text"})
      ->group(kQuestionGroup);
  app.add_option("--permutations", a.permutations, "Orders of the options that are averaged (1)")
      ->check(CLI::Range(1, 255).description(""))
      ->type_name("N")
      ->group(kQuestionGroup);
  app.add_option("--batch-rows", a.batch_rows, "Rows of a pass at most (1024)")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N")
      ->group(kQuestionGroup);
  add_seed_argument(app, a.seed, a.seed_drawn, "Seed of the questions (0); -1 draws one",
                    kQuestionGroup);
}

}  // namespace

CLI::App* add_calibrate(CLI::App& app, CalibrateArguments& a) {
  CLI::App* command =
      app.add_subcommand("calibrate", "Fit the probabilities of decisions to known answers");
  add_model_arguments(*command, a.model);
  add_question_arguments(*command, a);
  command->add_option("-o,--out", a.out, "File for unmask serve --decision-calibration")
      ->type_name("FILE")
      ->group("Output");
  command->add_flag("--json", a.json, "Everything as one JSON object")->group("Output");
  command->footer(
      "Asks generated questions about people in a text, a third each yes or no, one of four\n"
      "values, and none to three. One temperature a type is fitted to every other question; the\n"
      "figures are those of the rest. ECE is the expected calibration error in ten bins. What is\n"
      "fitted holds for questions like these, put in the same way.\n\n"
      "Examples:\n"
      "  unmask calibrate -m models/demo -o calibration.json\n"
      "  unmask serve -m models/demo --decision-calibration calibration.json");
  return command;
}

int calibrate(const CalibrateArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  const Decider decider(files);
  announce_seed(a.seed, a.seed_drawn, console);
  const InterruptWatch watch;
  const Request longest = whole_canvas(files, a.length);
  Model model = load_model(a.model, files, {&longest, 1}, console);
  const std::vector<AskedQuestions> all = ask_all(a, decider, model, console);
  const DecisionCalibration calibration = calibration_of(a, all, files.name());
  warn_of_limits(all, console);
  if (a.json) {
    Json types = Json::array();
    for (const AskedQuestions& asked : all) types.push_back(to_json(asked));
    console.out << json_line({{"calibration", to_json(calibration)}, {"types", std::move(types)}});
  } else {
    console.out << table_of(all)
                << fmt::format("ECE of all: {:.3f}, fitted {:.3f}\n", calibration.ece_before,
                               calibration.ece_after);
  }
  console.out << std::flush;  // before the file: a full disk must not cost the table
  if (a.out) {
    OutputFile file(*a.out);
    file.stream() << to_json(calibration).dump(1) << '\n';
    file.commit();
  }
  return kSuccess;
}

}  // namespace unmask
