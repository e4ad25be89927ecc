// `unmask convert`: a model in another container.
#include <CLI/CLI.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "core/error.h"
#include "io/containers/gguf_checkpoint.h"
#include "session/gguf_export.h"
#include "session/packed_export.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr const char* kConvertGroup = "Output";

/// The model's name with the type, in the folder where the command runs.
fs::path usual_name(const ModelFiles& files, const ConvertArguments& a, const std::string& dtype) {
  std::string type = dtype;
  for (char& c : type) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const char* ending = a.to == "gguf" ? ".gguf" : ".unmask";
  return fs::path(files.name()).filename().string() + "-" + type + ending;
}

/// The type that was asked for, which the container must have; else the usual one.
std::string choose_type(const ConvertArguments& a, const ModelFiles& files) {
  const bool gguf = a.to == "gguf";
  const bool from_gguf = is_gguf_file(files.path());
  if (!a.dtype) return gguf ? "q8_0" : from_gguf ? "stored" : "int8";
  const std::vector<std::string> types =
      gguf ? std::vector<std::string>{"q8_0", "q4_0"}
           : std::vector<std::string>{"int8", "int4", "bf16", "stored"};
  if (std::count(types.begin(), types.end(), *a.dtype) == 0) {
    fail("[convert] --dtype {} is no type of the container {}; use one of {}", *a.dtype, a.to,
         fmt::join(types, ", "));
  }
  if (*a.dtype == "stored" && !from_gguf) {
    fail(
        "[convert] --dtype stored keeps the blocks of a GGUF file; {} is none; use int8, int4 or "
        "bf16",
        files.path().string());
  }
  return *a.dtype;
}

WeightType packed_type(const std::string& dtype) {
  if (dtype == weight_type_name(WeightType::stored)) return WeightType::stored;
  const auto* found = std::find_if(std::begin(kWeightTypes), std::end(kWeightTypes),
                                   [&](WeightType t) { return weight_type_name(t) == dtype; });
  return *found;
}

/// Returns the bytes of the file, or of a GGUF file's tensors.
int64_t write(const ConvertArguments& a, const ModelFiles& files, const std::string& dtype,
              int threads, const LoadProgress& progress, std::ostream& out) {
  if (a.to == "packed") {
    return write_packed(files,
                        {.weights = packed_type(dtype),
                         .overrides = a.overrides,
                         .threads = threads,
                         .progress = progress,
                         .stop = interrupt_token()},
                        out);
  }
  int64_t bytes = 0;
  write_gguf(files,
             {.format = dtype == "q4_0" ? BlockFormat::q4_0 : BlockFormat::q8_0,
              .threads = threads,
              .progress =
                  [&](int64_t done, int64_t total) {
                    bytes = total;
                    progress(done, total);
                  },
              .stop = interrupt_token()},
             out);
  return bytes;
}

}  // namespace

CLI::App* add_convert(CLI::App& app, ConvertArguments& a) {
  CLI::App* command = app.add_subcommand("convert", "Write a model as one file");
  add_directory(*command, a.directory);
  add_override_arguments(*command, a.overrides);
  restrict_to(command->add_option("--to", a.to,
                                  "packed: unmask's own, which starts at once; gguf: for other "
                                  "engines, too (packed)"),
              {"packed", "gguf"})
      ->group(kConvertGroup);
  restrict_to(command->add_option("--dtype", a.dtype,
                                  "Type of its matrices: packed int8, int4, bf16 or, of a GGUF "
                                  "file, as it has them; gguf q8_0 or q4_0 (int8, stored, q8_0)"),
              {"int8", "int4", "bf16", "stored", "q8_0", "q4_0"})
      ->group(kConvertGroup);
  command
      ->add_option("-o,--output", a.output,
                   "The file (NAME-TYPE.unmask or .gguf); one that is there is replaced")
      ->type_name("FILE")
      ->group(kConvertGroup);
  command->add_option("-t,--threads", a.threads, "Threads to compute with (one a processor)")
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("N")
      ->group(kConvertGroup);
  command->footer(
      "Examples:\n"
      "  unmask convert -m models/LLaDA-8B-Instruct --dtype int4\n"
      "  unmask chat -m LLaDA-8B-Instruct-INT4.unmask\n"
      "  unmask convert -m models/Dream-7B --to gguf --dtype q4_0 -o dream.gguf");
  return command;
}

int convert(const ConvertArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.directory, a.overrides);
  const std::string dtype = choose_type(a, files);
  const fs::path path = a.output ? fs::path(*a.output) : usual_name(files, a, dtype);
  std::error_code none;
  if (fs::equivalent(path, files.path(), none)) {
    fail("[convert] {}: is the model itself; choose another --output", path.string());
  }
  const InterruptWatch watch;
  OutputFile file(path);
  ProgressLine line(console.err, console.err_terminal);
  const auto on_progress = [&](int64_t done, int64_t total) {
    line.show(fmt::format("writing {}, {:.0f} %", path.string(),
                          100 * static_cast<double>(done) / static_cast<double>(total)));
  };
  try {
    const int64_t bytes =
        write(a, files, dtype, threads_for(a.threads, console), on_progress, file.stream());
    file.commit();
    line.clear();
    tell(console, "wrote {}, {}", path.string(), format_bytes(bytes));
    return kSuccess;
  } catch (const Stopped&) {
    line.clear();
    tell(console, "interrupted; {} is not written", path.string());
    return kInterrupted;
  }
}

}  // namespace unmask
