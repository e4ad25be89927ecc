// `unmask convert`: a model in another container.
#include <CLI/CLI.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "core/error.h"
#include "session/gguf_export.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr const char* kGroup = "Output";

/// The model's name with the type, in the folder where the command runs.
fs::path usual_name(const ModelFiles& files, const std::string& dtype) {
  std::string type = dtype;
  for (char& c : type) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return fs::path(files.name()).filename().string() + "-" + type + ".gguf";
}

}  // namespace

CLI::App* add_convert(CLI::App& app, ConvertArguments& a) {
  CLI::App* command = app.add_subcommand("convert", "Write a model as one file");
  add_directory(*command, a.directory);
  add_override_arguments(*command, a.overrides);
  restrict_to(command->add_option("--to", a.to, "Container of the file (gguf)"), {"gguf"})
      ->group(kGroup);
  restrict_to(command->add_option("--dtype", a.dtype, "Type of its matrices (q8_0)"),
              {"q8_0", "q4_0"})
      ->group(kGroup);
  command
      ->add_option("-o,--output", a.output,
                   "The file (NAME-TYPE.gguf); one that is there is replaced")
      ->type_name("FILE")
      ->group(kGroup);
  command->add_option("-t,--threads", a.threads, "Threads to compute with (one a processor)")
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("N")
      ->group(kGroup);
  command->footer(
      "Examples:\n"
      "  unmask convert -m models/LLaDA-8B-Instruct --to gguf --dtype q4_0\n"
      "  unmask convert -m models/Dream-7B -o dream.gguf");
  return command;
}

int convert(const ConvertArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.directory, a.overrides);
  const fs::path path = a.output ? fs::path(*a.output) : usual_name(files, a.dtype);
  std::error_code none;
  if (fs::equivalent(path, files.path(), none)) {
    fail("[convert] {}: is the model itself; choose another --output", path.string());
  }
  const InterruptWatch watch;
  OutputFile file(path);
  ProgressLine line(console.err, console.err_terminal);
  int64_t bytes = 0;
  const auto on_progress = [&](int64_t done, int64_t total) {
    bytes = total;
    line.show(fmt::format("writing {}, {:.0f} %", path.string(),
                          100 * static_cast<double>(done) / static_cast<double>(total)));
  };
  write_gguf(files,
             {.format = a.dtype == "q4_0" ? BlockFormat::q4_0 : BlockFormat::q8_0,
              .threads = threads_for(a.threads, console),
              .progress = on_progress,
              .stop = interrupt_token()},
             file.stream());
  file.commit();
  line.clear();
  tell(console, "wrote {}, {} of weights", path.string(), format_bytes(bytes));
  return kSuccess;
}

}  // namespace unmask
