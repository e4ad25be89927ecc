// `unmask serve`: the model over HTTP.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <sstream>
#include <thread>
#include <unistd.h>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/options/arguments.h"
#include "apps/options/prompt.h"
#include "apps/terminal/terminal.h"
#include "core/error.h"
#include "core/list_folder.h"
#include "io/fnv1a.h"
#include "serve/service.h"

namespace unmask {

namespace {

constexpr std::string_view kAddress = "Address";
constexpr std::string_view kAccess = "Access";
constexpr std::string_view kLimits = "Limits";
constexpr const char* kKeyVariable = "UNMASK_API_KEY";

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// Keys of the environment and of a file's lines; a command line would show them to everybody.
std::vector<std::string> read_keys(const ServeArguments& a, Console& console) {
  std::vector<std::string> keys;
  if (const char* key = std::getenv(kKeyVariable); key != nullptr && *key != '\0') {
    keys.emplace_back(key);
  }
  if (!a.key_file) return keys;
  std::istringstream lines(read_whole("serve", *a.key_file, size_t{1} << 20, console));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) keys.push_back(line);
  }
  if (keys.empty()) fail("[serve] {}: no key, expected one a line", *a.key_file);
  return keys;
}

ServiceOptions service_options(const ServeArguments& a, const ModelFiles& files, Console& console) {
  ServiceOptions options;
  const bool loopback = a.unix_path || is_loopback(a.host);
  options.access = {.loopback = loopback,
                    .hosts = a.allow_hosts,
                    .origins = a.allow_origins,
                    .keys = read_keys(a, console),
                    .free_paths = {"/", "/index.html", "/app.js", "/app.css", "/health"}};
  if (!loopback && options.access.keys.empty() && !a.no_auth) {
    fail(
        "[serve] {} can be reached from other machines and there is no key; set {}, name a file "
        "with --api-key-file, or say --no-auth",
        a.host, kKeyVariable);
  }
  options.limits.body = static_cast<size_t>(a.max_body) << 20;
  options.limits.connections = static_cast<size_t>(a.max_connections);
  options.scheduler.queue = a.queue;
  options.scheduler.owners = std::max(size_t{1}, options.access.keys.size());
  options.scheduler.queue_timeout = std::chrono::seconds(a.queue_timeout);
  options.ping = std::chrono::seconds(a.ping);
  options.grace = std::chrono::seconds(a.grace);
  options.impatient = [] { _exit(kInterrupted); };
  options.version = UNMASK_VERSION;
  options.model = a.name.value_or(files.name());
  options.device = a.model.device;
  if (a.log) options.log = [&console](const std::string& line) { note_text(console, line + '\n'); };
  return options;
}

/// What running requests may hold: as asked for, or what is left, less a tenth where nobody said
/// how much that is.
int64_t memory_limit(const ServeArguments& a, const Model& model) {
  if (a.memory) return static_cast<int64_t>(*a.memory * 1e9);
  const auto left = memory_for_requests(a.model, model);
  if (!left) return std::numeric_limits<int64_t>::max();
  return a.model.max_memory ? *left : *left / 10 * 9;
}

/// How decisions are asked, when the model can be asked at all.
DecisionSetup decision_setup(const ServeArguments& a, const ModelFiles& files) {
  DecisionSetup setup;
  if (a.calibration) setup.calibration = read_calibration(*a.calibration);
  try {
    setup.decider = std::make_shared<const Decider>(files);
  } catch (const Error& error) {
    setup.obstacle = error.what();
  }
  return setup;
}

/// Tells one model from another: a hash of its files' names and sizes.
std::string fingerprint(const ModelFiles& files) {
  std::set<std::string> lines;
  std::error_code none;
  const auto add = [&](const std::filesystem::path& path) {
    if (!std::filesystem::is_regular_file(path, none)) return;
    lines.insert(
        fmt::format("{} {}", path.filename().string(), std::filesystem::file_size(path, none)));
  };
  add(files.path());  // of GGUF
  for (const std::filesystem::path& path : list_folder(files.path())) add(path);
  const uint64_t hash = fnv1a(fmt::format("{}", fmt::join(lines, "\n")));
  return fmt::format("um-{}-{:08x}", UNMASK_VERSION, static_cast<uint32_t>(hash ^ (hash >> 32)));
}

ApiContext make_context(const ServeArguments& a, const Model& model, DecisionSetup decisions,
                        int64_t memory) {
  const ModelConfig& config = model.config();
  return {.files = model.files(),
          .costs = model.costs(),
          .defaults = {.options = a.generation,
                       .max_tokens = a.generation.max_tokens.value_or(256),
                       .max_choices = a.max_choices,
                       .context = a.context > 0 ? a.context : config.max_positions},
          .memory_limit = memory,
          .slots = a.parallel,
          .max_rows = a.batch_rows,
          .decisions = std::move(decisions),
          .model = a.name.value_or(model.files().name()),
          .aliases = a.aliases,
          .version = UNMASK_VERSION,
          .fingerprint = fingerprint(model.files()),
          .created = std::time(nullptr)};
}

/// Loads the model beside the running server and hands it over.
class Loading {
 public:
  /// `model` is where it will be, which outlives the service.
  Loading(const ServeArguments& a, const ModelFiles& files, DecisionSetup decisions,
          std::unique_ptr<Model>& model, Service& service, Console& console)
      : thread_([this, &a, &files, decisions = std::move(decisions), &model, &service,
                 &console]() mutable {
          try {
            const Request usual = build_request(a.generation, files, {});
            model.reset(new Model(load_model(a.model, files, {&usual, 1}, console)));
            const int64_t memory = memory_limit(a, *model);
            if (interrupted()) throw Stopped{};  // before the server heard signals itself
            service.open(*model, make_context(a, *model, std::move(decisions), memory));
            tell(console, "ready");
          } catch (...) {
            problem_ = std::current_exception();
            service.shut_down();
          }
        }) {}
  ~Loading() { end(); }  // the server has thrown
  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;
  /// Ends it when the server has ended before. Throws what loading has thrown.
  void finish() {
    end();
    try {
      if (problem_) std::rethrow_exception(problem_);
    } catch (const Stopped&) {
      // As the server was told.
    }
  }

 private:
  void end() {
    if (!thread_.joinable()) return;
    interrupt();
    thread_.join();
  }

  std::exception_ptr problem_;
  std::thread thread_;
};

void add_address_arguments(CLI::App& app, ServeArguments& a) {
  app.add_option("--host", a.host, "Address to listen on (127.0.0.1, this machine alone)")
      ->type_name("HOST")
      ->group(std::string(kAddress));
  app.add_option("--port", a.port, "Port (8080); 0: any that is free")
      ->check(CLI::Range(0, 65535).description(""))
      ->type_name("N")
      ->group(std::string(kAddress));
  app.add_option("--unix", a.unix_path, "Listen on a Unix socket instead, for this user alone")
      ->type_name("PATH")
      ->group(std::string(kAddress));
  app.add_option("--name", a.name, "What the model is called (its folder's name)")
      ->type_name("NAME")
      ->group(std::string(kAddress));
  app.add_option("--alias", a.aliases, "Another name that clients may ask for, repeatable")
      ->allow_extra_args(false)
      ->type_name("NAME")
      ->group(std::string(kAddress));
}

void add_access_arguments(CLI::App& app, ServeArguments& a) {
  app.add_option("--api-key-file", a.key_file,
                 "File with keys, one a line, of which a client must send one; UNMASK_API_KEY "
                 "holds one, too")
      ->type_name("FILE")
      ->group(std::string(kAccess));
  app.add_flag("--no-auth", a.no_auth, "Let other machines in without a key")
      ->group(std::string(kAccess));
  app.add_option("--allow-host", a.allow_hosts,
                 "Name under which clients may reach the server (Host), repeatable")
      ->allow_extra_args(false)
      ->type_name("HOST")
      ->group(std::string(kAccess));
  app.add_option("--allow-origin", a.allow_origins,
                 "Web pages that may ask, as https://example.org, repeatable")
      ->allow_extra_args(false)
      ->type_name("ORIGIN")
      ->group(std::string(kAccess));
}

void add_limit(CLI::App& app, const std::string& name, int& value, int least, int most,
               const std::string& help) {
  app.add_option(name, value, help)
      ->check(CLI::Range(least, most).description(""))
      ->type_name("N")
      ->group(std::string(kLimits));
}

void add_limit_arguments(CLI::App& app, ServeArguments& a) {
  add_limit(app, "--parallel", a.parallel, 1, 4096, "Answers denoised side by side at most (8)");
  add_limit(app, "--batch-rows", a.batch_rows, 1, 1 << 20, "Rows of a step at most (1024)");
  add_limit(app, "--queue", a.queue, 1, 100'000, "Requests that wait at most (64)");
  add_limit(app, "--queue-timeout", a.queue_timeout, 1, 86'400, "Seconds that they wait (120)");
  add_limit(app, "--context", a.context, 0, 1 << 30,
            "Tokens of prompt and answer at most (those of the model's training)");
  app.add_option("--memory", a.memory,
                 "Gigabytes that running requests may hold (what is free, less a tenth)")
      ->check(CLI::Range(1e-6, 1e6).description(""))
      ->type_name("GB")
      ->group(std::string(kLimits));
  app.add_option("--decision-calibration", a.calibration,
                 "Temperatures for the probabilities of decisions, made by unmask calibrate")
      ->type_name("FILE")
      ->group(std::string(kLimits));
  add_limit(app, "--max-choices", a.max_choices, 1, 128, "Choices of a request at most (8)");
  add_limit(app, "--max-body", a.max_body, 1, 1024, "Megabytes of a request at most (4)");
  add_limit(app, "--max-connections", a.max_connections, 1, 1 << 20, "Connections (1024)");
  add_limit(app, "--ping", a.ping, 1, 3600, "Seconds of silence after which a stream pings (10)");
  add_limit(app, "--grace", a.grace, 0, 3600, "Seconds for what runs when the server ends (10)");
}

}  // namespace

CLI::App* add_serve(CLI::App& app, ServeArguments& a) {
  CLI::App* command = app.add_subcommand("serve", "Serve a model over HTTP, as OpenAI's API");
  add_model_arguments(*command, a.model);
  add_prefix_cache(*command, a.model);
  add_address_arguments(*command, a);
  add_access_arguments(*command, a);
  add_limit_arguments(*command, a);
  command->add_flag("--no-log{false}", a.log, "No line of JSON about each answer")->group("Output");
  add_generation_arguments(*command, a.generation);
  command->footer(
      preset_help() +
      "\nThe options of generation are what a request leaves open. There is a page at /.\n"
      "docs/server.md has the whole API.\n\n"
      "Examples:\n"
      "  unmask serve -m models/LLaDA-8B-Instruct\n"
      "  curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' \\\n"
      "    -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Why is the sky blue?\"}]}'\n"
      "  UNMASK_API_KEY=secret unmask serve -m models/LLaDA-8B-Instruct --host 0.0.0.0 "
      "--allow-host my.example.org");
  return command;
}

int serve(const ServeArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  ServiceOptions options = service_options(a, files, console);
  DecisionSetup decisions = decision_setup(a, files);  // a bad file shows before loading
  options.scheduler.engine = {
      .max_running = a.parallel, .max_rows = a.batch_rows, .series_steps = 1};
  const InterruptWatch watch;  // who reads the address may end the server at once
  std::unique_ptr<Model> model;
  Service service(std::move(options));
  if (a.unix_path) {
    service.server().listen_unix(*a.unix_path);
    tell(console, "listening on {}", *a.unix_path);
  } else {
    const int port = service.server().listen_tcp(a.host, a.port);
    const std::string host = a.host.find(':') == std::string::npos ? a.host : '[' + a.host + ']';
    tell(console, "listening on http://{}:{}", host, port);
  }
  Loading loading(a, files, std::move(decisions), model, service, console);
  service.run();
  loading.finish();
  return 0;
}

}  // namespace unmask
