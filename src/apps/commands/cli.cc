#include "apps/commands/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "apps/commands/commands.h"
#include "apps/commands/ranks.h"
#include "apps/options/help.h"
#include "apps/options/hints.h"
#include "apps/options/mistakes.h"
#include "apps/terminal/terminal.h"
#include "core/error.h"

namespace unmask {

namespace {

struct Command {
  CLI::App* parsed;
  std::function<int()> work;
  ModelArguments* model = nullptr;  // that it computes with
};

int complain(Console& console, std::string message, int status) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  tell(console, "error: {}", message);
  return status;
}

/// The status, where what stands behind it could be written: a full disk shows only here.
int finished(int status, Console& console) {
  return console.out.flush() ? status : complain(console, "cannot write the output", kFailure);
}

/// Help and version arrive as exceptions, too.
int after_parsing(const CLI::App& app, const CLI::ParseError& error, Console& console) {
  if (error.get_exit_code() == 0) {
    return finished(app.exit(error, console.out, console.err), console);
  }
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& where = chosen.empty() ? app : *chosen[0];
  return complain(console,
                  fmt::format("{}; see {} --help", wrong_arguments(where, error),
                              chosen.empty() ? "unmask" : "unmask " + where.get_name()),
                  kUsage);
}

/// Turns what a command throws into an exit status.
int guarded(const std::function<int()>& work, Console& console) {
  try {
    const int status = work();
    return finished(status == kInterrupted ? interrupted_status() : status, console);
  } catch (const Stopped&) {
    tell(console, "interrupted");
    return interrupted_status();
  } catch (const Error& error) {
    return complain(console, as_typed(error), kFailure);
  } catch (const std::bad_alloc&) {
    return complain(console, fmt::format("not enough memory{}", hint(ErrorCode::memory)), kFailure);
  } catch (const std::filesystem::filesystem_error& error) {
    return complain(console, fmt::format("[file] {}", error.what()), kFailure);
  } catch (const std::system_error& error) {  // threads, as a rule
    return complain(console, fmt::format("[system] refuses what is needed: {}", error.what()),
                    kFailure);
  } catch (const std::exception& error) {
    return complain(console, fmt::format("this is a defect of unmask: {}", error.what()), kDefect);
  }
}

}  // namespace

int run_main(int argc, const char* const* argv, Console& console) {
  CLI::App app{"Runs diffusion language models.", "unmask"};
  app.formatter_fn([formatter = HelpFormatter()](const CLI::App* shown, std::string name,
                                                 CLI::AppFormatMode mode) {
    return formatter.make_help(shown, std::move(name), mode);
  });
  app.set_help_flag("-h,--help", "Show this help");
  app.set_version_flag("--version", "unmask " UNMASK_VERSION, "Show the version");
  app.require_subcommand(1);

  RunArguments run_arguments;
  BatchArguments batch_arguments;
  ConverseArguments chat_arguments;
  ServeArguments serve_arguments;
  TokenizeArguments tokenize_arguments;
  InspectArguments inspect_arguments;
  PlanArguments plan_arguments;
  ModelsArguments models_arguments;
  InspectAttentionArguments inspect_attention_arguments;
  BenchArguments bench_arguments;
  EvalArguments eval_arguments;
  TuneArguments tune_arguments;
  CalibrateArguments calibrate_arguments;
  ScoreArguments score_arguments;
  ConvertArguments convert_arguments;
  CompletionArguments completion_arguments;
  const std::vector<Command> commands{
      {add_run(app, run_arguments), [&] { return run(run_arguments, console); },
       &run_arguments.model},
      {add_batch(app, batch_arguments), [&] { return batch(batch_arguments, console); },
       &batch_arguments.model},
      {add_chat(app, chat_arguments), [&] { return chat(chat_arguments, console); },
       &chat_arguments.model},
      {add_serve(app, serve_arguments), [&] { return serve(serve_arguments, console); },
       &serve_arguments.model},
      {add_tokenize(app, tokenize_arguments),
       [&] { return tokenize(tokenize_arguments, console); }},
      {add_inspect(app, inspect_arguments), [&] { return inspect(inspect_arguments, console); }},
      {add_plan(app, plan_arguments), [&] { return plan(plan_arguments, console); }},
      {add_models(app, models_arguments), [&] { return models(models_arguments, console); }},
      {add_inspect_attention(app, inspect_attention_arguments),
       [&] { return inspect_attention(inspect_attention_arguments, console); },
       &inspect_attention_arguments.model},
      {add_bench(app, bench_arguments), [&] { return bench(bench_arguments, console); }},
      {add_eval(app, eval_arguments), [&] { return eval(eval_arguments, console); },
       &eval_arguments.model},
      {add_tune(app, tune_arguments), [&] { return tune(tune_arguments, console); },
       &tune_arguments.model},
      {add_calibrate(app, calibrate_arguments),
       [&] { return calibrate(calibrate_arguments, console); }, &calibrate_arguments.model},
      {add_score(app, score_arguments), [&] { return score(score_arguments, console); },
       &score_arguments.model},
      {add_convert(app, convert_arguments), [&] { return convert(convert_arguments, console); }},
      {add_completion(app, completion_arguments),
       [&] { return completion(app, completion_arguments, console); }},
  };
  app.footer(
      "Examples:\n"
      "  unmask run -m models/LLaDA-8B-Instruct -p 'Why is the sky blue?' --live\n"
      "  unmask chat -m models/Dream-7B-Instruct\n"
      "  unmask COMMAND --help");

  std::vector<std::string> words = usual_words({argv + std::min(1, argc), argv + argc});
  const std::string wrong = wrong_command(app, words);
  if (!wrong.empty()) return complain(console, wrong + "; see unmask --help", kUsage);
  try {
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return after_parsing(app, error, console);
  }
  const auto chosen = std::find_if(commands.begin(), commands.end(),
                                   [](const Command& c) { return c.parsed->parsed(); });
  return guarded(
      [&] {
        return chosen->model == nullptr ? chosen->work()
                                        : on_ranks(*chosen->model, chosen->work, console);
      },
      console);
}

}  // namespace unmask
