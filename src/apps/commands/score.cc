// `unmask score`: how likely a model finds answers.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "eval/likelihood.h"
#include "io/json_file.h"

namespace unmask {

namespace {

struct Scored {
  std::string text{};
  int tokens = 0;
  Likelihood likelihood{};
  double probability = 0;  // among the answers
};

std::vector<Scored> score_answers(const ScoreArguments& a, Model& model,
                                  const std::vector<TokenId>& prompt, Console& console) {
  ProgressLine line(console.err, console.err_terminal);
  std::vector<Scored> all;
  for (const std::string& text : a.answers) {
    const std::vector<TokenId> answer = encode_answer(model.files(), a.chat, text);
    const auto on_progress = [&](int done, int total) {
      line.show(fmt::format("answer {} of {}, sample {} of {}", all.size() + 1, a.answers.size(),
                            done, total));
      return !interrupted();
    };
    const LikelihoodOptions options{a.samples, a.seed};
    const Likelihood found =
        answer_log_likelihood(model.transformer(), prompt, answer, options, on_progress);
    all.push_back({text, static_cast<int>(answer.size()), found});
    if (interrupted()) throw Stopped{};
  }
  return all;
}

/// Shares of exp(log-likelihood).
void add_probabilities(std::vector<Scored>& all) {
  double largest = all[0].likelihood.log_likelihood;
  for (const Scored& s : all) largest = std::max(largest, s.likelihood.log_likelihood);
  double sum = 0;
  for (Scored& s : all) sum += s.probability = std::exp(s.likelihood.log_likelihood - largest);
  for (Scored& s : all) s.probability /= sum;
}

nlohmann::ordered_json to_json(const Scored& s) {
  return {{"answer", s.text},
          {"tokens", s.tokens},
          {"log_likelihood", s.likelihood.log_likelihood},
          {"standard_error", s.likelihood.standard_error},
          {"log_likelihood_per_token", s.likelihood.log_likelihood / s.tokens},
          {"probability", s.probability},
          {"samples", s.likelihood.samples}};
}

}  // namespace

CLI::App* add_score(CLI::App& app, ScoreArguments& a) {
  CLI::App* command = app.add_subcommand("score", "Estimate how likely answers are");
  add_model_arguments(*command, a.model);
  add_prompt_arguments(*command, a.prompt);
  add_chat_arguments(*command, a.chat);
  add_raw_argument(*command, a.chat.raw);
  command->add_option("-a,--answer", a.answers, "An answer to the prompt, repeatable")
      ->required()
      ->allow_extra_args(false)
      ->type_name("TEXT")
      ->group("Prompt");
  command
      ->add_option("--mc-samples", a.samples,
                   "Maskings of the estimate, at least 16, in groups of 8 (128); an answer of one "
                   "token takes one")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("N")
      ->group("Estimate");
  add_seed_argument(*command, a.seed, a.seed_drawn, "Seed of the maskings (0); -1 draws one",
                    "Estimate");
  command->add_flag("--json", a.json, "One JSON object a line and answer")->group("Output");
  command->footer(
      "Prints for each answer the log-likelihood in nats with its standard error, the same for a\n"
      "token, and the answer's share among those given. The estimate is that of LLaDA's\n"
      "evaluation: a bound, the tighter the more the order of decisions does not matter.\n\n"
      "Examples:\n"
      "  unmask score -m models/LLaDA-8B-Instruct -p 'Is the sky blue?' -a Yes -a No\n"
      "  unmask score -m models/LLaDA-8B-Base --raw -f start.txt -a ' and so on.' --json");
  return command;
}

int score(const ScoreArguments& a, Console& console) {
  for (const std::string& answer : a.answers) {
    if (answer.empty()) fail("[score] an answer is empty; give each -a some text");
  }
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  const std::vector<TokenId> prompt = read_question(a.prompt, a.chat, files, console);
  announce_seed(a.seed, a.seed_drawn, console);
  const InterruptWatch watch;
  int rows = 1;
  for (const std::string& text : a.answers) {
    const auto tokens = static_cast<int>(encode_answer(files, a.chat, text).size());
    rows = std::max(rows, likelihood_rows(static_cast<int>(prompt.size()) + tokens, tokens));
  }
  const Request pass = whole_canvas(files, rows);
  Model model = load_model(a.model, files, {&pass, 1}, console);
  std::vector<Scored> all = score_answers(a, model, prompt, console);
  add_probabilities(all);
  for (const Scored& s : all) {
    if (a.json) {
      console.out << json_line(to_json(s));
      continue;
    }
    const Likelihood& l = s.likelihood;
    print_text(console, fmt::format("{:.3f} +- {:.3f} nats, {:.3f} a token, share {:.3f}: {}\n",
                                    l.log_likelihood, l.standard_error, l.log_likelihood / s.tokens,
                                    s.probability, s.text));
  }
  return kSuccess;
}

}  // namespace unmask
