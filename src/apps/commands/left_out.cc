// The commands that a demonstration does not run, in a program that was built without them
// (UNMASK_COMMANDS=run), so that it compiles neither them nor what they call.
#include <CLI/CLI.hpp>

#include "apps/commands/commands.h"
#include "core/error.h"

namespace unmask {

namespace {

CLI::App* leave_out(CLI::App& app, const char* name) {
  return app.add_subcommand(name, "Not in this build")->allow_extras();
}

int refuse() {
  fail(
      "[command] this program was built for a demonstration, with run and chat alone; ./dev build "
      "makes the whole one");
}

}  // namespace

CLI::App* add_batch(CLI::App& app, BatchArguments&) { return leave_out(app, "batch"); }
CLI::App* add_serve(CLI::App& app, ServeArguments&) { return leave_out(app, "serve"); }
CLI::App* add_tokenize(CLI::App& app, TokenizeArguments&) { return leave_out(app, "tokenize"); }
CLI::App* add_inspect(CLI::App& app, InspectArguments&) { return leave_out(app, "inspect"); }
CLI::App* add_plan(CLI::App& app, PlanArguments&) { return leave_out(app, "plan"); }
CLI::App* add_models(CLI::App& app, ModelsArguments&) { return leave_out(app, "models"); }
CLI::App* add_inspect_attention(CLI::App& app, InspectAttentionArguments&) {
  return leave_out(app, "inspect-attention");
}
CLI::App* add_bench(CLI::App& app, BenchArguments&) { return leave_out(app, "bench"); }
CLI::App* add_eval(CLI::App& app, EvalArguments&) { return leave_out(app, "eval"); }
CLI::App* add_tune(CLI::App& app, TuneArguments&) { return leave_out(app, "tune"); }
CLI::App* add_calibrate(CLI::App& app, CalibrateArguments&) { return leave_out(app, "calibrate"); }
CLI::App* add_score(CLI::App& app, ScoreArguments&) { return leave_out(app, "score"); }
CLI::App* add_convert(CLI::App& app, ConvertArguments&) { return leave_out(app, "convert"); }

int batch(const BatchArguments&, Console&) { return refuse(); }
int serve(const ServeArguments&, Console&) { return refuse(); }
int tokenize(const TokenizeArguments&, Console&) { return refuse(); }
int inspect(const InspectArguments&, Console&) { return refuse(); }
int plan(const PlanArguments&, Console&) { return refuse(); }
int models(const ModelsArguments&, Console&) { return refuse(); }
int inspect_attention(const InspectAttentionArguments&, Console&) { return refuse(); }
int bench(const BenchArguments&, Console&) { return refuse(); }
int eval(const EvalArguments&, Console&) { return refuse(); }
int tune(const TuneArguments&, Console&) { return refuse(); }
int calibrate(const CalibrateArguments&, Console&) { return refuse(); }
int score(const ScoreArguments&, Console&) { return refuse(); }
int convert(const ConvertArguments&, Console&) { return refuse(); }

}  // namespace unmask
