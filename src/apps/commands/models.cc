// `unmask models`: what was downloaded, and what it needs to run.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/terminal/units.h"
#include "core/platform/memory.h"
#include "io/containers/checkpoint.h"
#include "io/json_file.h"
#include "model/families.h"
#include "session/cached_models.h"
#include "session/costs.h"

namespace unmask {

using nlohmann::ordered_json;

namespace {

constexpr std::array kShownTypes{WeightType::int8, WeightType::int4};

ordered_json memory_of(const ModelConfig& config, int context) {
  ordered_json memory;
  for (const WeightType type : kShownTypes) {
    const Costs costs(config, element_sizes(DeviceKind::cpu, type));
    memory[std::string(weight_type_name(type))] =
        costs.weight_bytes() + costs.canvas_bytes(context);
  }
  return memory;
}

/// A line of the list; nothing for a model of another kind, unless all are asked for.
std::optional<ordered_json> describe(const CachedModel& model, const ModelsArguments& a) {
  ordered_json line{{"name", model.name}};
  if (!model.folder.empty()) line["folder"] = model.folder.string();
  line["bytes"] = model.bytes;
  try {
    if (model.folder.empty()) throw Error(model.problem);
    if (!is_of_known_family(model.folder) && !a.all) return std::nullopt;
    const ModelConfig config = load_model_config(model.folder);
    line["family"] = family_name(config.family);
    line["parameters"] = count_parameters(config);
    line["memory"] = memory_of(config, a.context);
    check_checkpoint(*open_checkpoint(model.folder, config), config);
  } catch (const Error& error) {
    line["problem"] = error.what();
  }
  return line;
}

std::string shown_bytes(const ordered_json& line, const std::string& type) {
  return line.contains("memory") ? format_bytes(line["memory"][type].get<int64_t>()) : "";
}

void print(const std::vector<ordered_json>& lines, const ModelsArguments& a, Console& console) {
  size_t width = 5;
  for (const ordered_json& line : lines) {
    width = std::max(width, line["name"].get<std::string>().size());
  }
  const auto row = [&](std::string_view name, std::string_view family, std::string_view parameters,
                       std::string_view disk, std::string_view int8, std::string_view int4) {
    print_text(console, fmt::format("{:<{}}  {:<12} {:>15} {:>10} {:>10} {:>10}\n", name, width,
                                    family, parameters, disk, int8, int4));
  };
  row("MODEL", "FAMILY", "PARAMETERS", "ON DISK", "INT8", "INT4");
  for (const ordered_json& line : lines) {
    const bool known = line.contains("family");
    row(printable(line["name"].get<std::string>()), known ? line["family"].get<std::string>() : "",
        known ? format_count(line["parameters"].get<int64_t>()) : "",
        format_bytes(line["bytes"].get<int64_t>()), shown_bytes(line, "int8"),
        shown_bytes(line, "int4"));
    if (line.contains("problem")) {
      print_text(console, fmt::format("    cannot be run: {}\n",
                                      printable(line["problem"].get<std::string>(), 400)));
    }
  }
  const auto free = available_memory();
  console.out << fmt::format("Memory at {} tokens with --dtype int8 and int4{}.\n", a.context,
                             free ? "; " + format_bytes(*free) + " are free here" : "");
}

}  // namespace

CLI::App* add_models(CLI::App& app, ModelsArguments& a) {
  CLI::App* command = app.add_subcommand("models", "List the models that were downloaded");
  command->add_option("--context", a.context, "Tokens to tell the memory for")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000'000).description(""))
      ->type_name("N");
  command->add_flag("--all", a.all, "Models of other families, too, which cannot be run");
  command->add_flag("--json", a.json, "One JSON object; sizes in bytes");
  command->footer(
      "Looks into the cache of the Hugging Face hub and into ~/.cache/unmask/ORG/NAME.\n"
      "Examples:\n"
      "  unmask models\n"
      "  unmask models --all --json");
  return command;
}

int models(const ModelsArguments& a, Console& console) {
  const ModelCaches caches = model_caches();
  std::vector<ordered_json> lines;
  const std::vector<CachedModel> found = list_cached_models(caches);
  for (const CachedModel& model : found) {
    if (auto line = describe(model, a)) lines.push_back(std::move(*line));
  }
  if (a.json) {
    ordered_json list{{"context", a.context}, {"models", lines}};
    if (const auto free = available_memory()) list["available_memory"] = *free;
    console.out << json_line(list);
  } else if (lines.empty()) {
    note_text(console,
              fmt::format("no model in {} or {}{}; download one, e.g.: hf download "
                          "GSAI-ML/LLaDA-8B-Instruct\n",
                          caches.hub.string(), caches.own.string(),
                          found.empty() ? "" : " that can be run (--all lists the others)"));
  } else {
    print(lines, a, console);
  }
  return kSuccess;
}

}  // namespace unmask
