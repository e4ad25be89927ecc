// The commands of the program. Each has its arguments, a function that declares them, and one that
// does the work and returns the exit status.
#pragma once

#include <string>
#include <vector>

#include "apps/options/arguments.h"
#include "apps/terminal/console.h"
#include "bench/bench_case.h"
#include "eval/plan.h"

namespace unmask {

struct RunArguments {
  ModelArguments model;
  PromptArguments prompt;
  PromptOptions chat;
  RequestOptions generation;
  ViewArguments view;
  bool json = false;
  bool explain = false;
  std::optional<std::string> fill;
  int hole = 4;
  std::optional<std::string> json_schema;  // a file
  bool json_object = false;
  std::optional<std::string> trace;
};
CLI::App* add_run(CLI::App& app, RunArguments& arguments);
int run(const RunArguments& arguments, Console& console);

struct BatchArguments {
  ModelArguments model;
  PromptOptions chat;
  RequestOptions generation;
  std::string file;
  std::optional<std::string> out;  // a file
  std::string on_error = "stop";
  std::optional<std::string> shard;
  int batch_size = 8;
};
CLI::App* add_batch(CLI::App& app, BatchArguments& arguments);
int batch(const BatchArguments& arguments, Console& console);

struct ConverseArguments {
  ModelArguments model;
  PromptOptions chat;
  RequestOptions generation;
  bool history = true;
};
CLI::App* add_chat(CLI::App& app, ConverseArguments& arguments);
int chat(const ConverseArguments& arguments, Console& console);

struct TokenizeArguments {
  std::string directory;
  PromptArguments prompt;
  PromptOptions chat;
  std::optional<std::string> decode;
  bool ids = false;
  bool json = false;
  bool apply_template = false;
};
CLI::App* add_tokenize(CLI::App& app, TokenizeArguments& arguments);
int tokenize(const TokenizeArguments& arguments, Console& console);

struct InspectArguments {
  std::string path;
  ModelOverrides overrides;
  std::optional<int> context;
  bool verify = false;
  bool json = false;
};
CLI::App* add_inspect(CLI::App& app, InspectArguments& arguments);
int inspect(const InspectArguments& arguments, Console& console);

struct PlanArguments {
  std::string directory;
  ModelOverrides overrides;
  std::string dtype = "auto";
  int threads = 0;
  int ranks = 2;
  double network = 10;           // Gbit/s
  double latency = 50;           // microseconds
  std::optional<double> memory;  // GB
  std::vector<double> machine;   // as in --help; empty: this one
  std::vector<int> contexts{4096};
  bool json = false;
};
CLI::App* add_plan(CLI::App& app, PlanArguments& arguments);
int plan(const PlanArguments& arguments, Console& console);

struct ModelsArguments {
  int context = 1024;
  bool all = false;
  bool json = false;
};
CLI::App* add_models(CLI::App& app, ModelsArguments& arguments);
int models(const ModelsArguments& arguments, Console& console);

struct InspectAttentionArguments {
  ModelArguments model;
  PromptArguments prompt;
  PromptOptions chat;
  RequestOptions generation{.preset = Preset::exact};  // pictures are of the published steps
  std::optional<int> layer;
  std::vector<int> heads;
  std::vector<int> steps;
  std::optional<int> score_block;
  std::optional<std::string> output;
  bool json = false;
};
CLI::App* add_inspect_attention(CLI::App& app, InspectAttentionArguments& arguments);
int inspect_attention(const InspectAttentionArguments& arguments, Console& console);

struct BenchArguments {
  std::string shape = "demo";
  std::vector<std::string> methods{"full"};
  std::vector<int> contexts{512};
  std::vector<std::string> dtypes{"bf16"};
  // But for method and context; 0: see bench --help.
  BenchCase about{.block_length = 0, .steps = 0};
  int threads = 0;
  std::optional<std::string> preset;
  std::optional<std::string> save;     // file for the measured targets
  std::optional<std::string> compare;  // file of such
  bool json = false;
  std::optional<std::string> plot;
};
CLI::App* add_bench(CLI::App& app, BenchArguments& arguments);
int bench(const BenchArguments& arguments, Console& console);

struct EvalArguments {
  ModelArguments model;
  EvalSettings settings;
  std::optional<std::string> shard;
  std::optional<std::string> out;
  bool json = false;
};
CLI::App* add_eval(CLI::App& app, EvalArguments& arguments);
int eval(const EvalArguments& arguments, Console& console);

struct TuneArguments {
  ModelArguments model;
  EvalSettings settings;
  double budget = 600;  // seconds
  double max_loss = 1;  // points of a hundred
  std::optional<std::string> out, plot;
  bool json = false;
};
CLI::App* add_tune(CLI::App& app, TuneArguments& arguments);
int tune(const TuneArguments& arguments, Console& console);

struct ScoreArguments {
  ModelArguments model;
  PromptArguments prompt;
  PromptOptions chat;
  std::vector<std::string> answers;
  int samples = 128;
  uint64_t seed = 0;
  bool seed_drawn = false;
  bool json = false;
};
CLI::App* add_score(CLI::App& app, ScoreArguments& arguments);
int score(const ScoreArguments& arguments, Console& console);

struct CalibrateArguments {
  ModelArguments model;
  int questions = 500;
  int length = 128;
  std::string labels = "token";
  int permutations = 1;
  int batch_rows = 1024;
  uint64_t seed = 0;
  bool seed_drawn = false;
  std::optional<std::string> out;
  bool json = false;
};
CLI::App* add_calibrate(CLI::App& app, CalibrateArguments& arguments);
int calibrate(const CalibrateArguments& arguments, Console& console);

struct ServeArguments {
  ModelArguments model;
  RequestOptions generation;
  std::string host = "127.0.0.1";
  int port = 8080;
  std::optional<std::string> unix_path;
  std::optional<std::string> name;
  std::vector<std::string> aliases;
  std::optional<std::string> key_file;
  bool no_auth = false;
  std::vector<std::string> allow_hosts;
  std::vector<std::string> allow_origins;
  int parallel = 8;
  int batch_rows = 1024;
  int queue = 64;
  int queue_timeout = 120;  // seconds
  int context = 0;
  std::optional<double> memory;            // GB
  std::optional<std::string> calibration;  // file
  int max_choices = 8;
  int max_body = 4;  // MiB
  int max_connections = 1024;
  int ping = 10;   // seconds
  int grace = 10;  // seconds
  bool log = true;
};
CLI::App* add_serve(CLI::App& app, ServeArguments& arguments);
int serve(const ServeArguments& arguments, Console& console);

struct ConvertArguments {
  std::string directory;
  ModelOverrides overrides;
  std::string to = "packed";
  std::optional<std::string> dtype;  // none: the usual one of the container
  std::optional<std::string> output;
  int threads = 0;
};
CLI::App* add_convert(CLI::App& app, ConvertArguments& arguments);
int convert(const ConvertArguments& arguments, Console& console);

struct CompletionArguments {
  std::string shell;
};
CLI::App* add_completion(CLI::App& app, CompletionArguments& arguments);
int completion(const CLI::App& app, const CompletionArguments& arguments, Console& console);

}  // namespace unmask
