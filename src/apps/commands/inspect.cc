// `unmask inspect`: what a model is and needs, without loading its weights.
#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/terminal/units.h"
#include "io/gguf_model.h"
#include "io/json_file.h"
#include "io/template/template.h"
#include "io/text/chat_files.h"
#include "model/families.h"
#include "session/cached_models.h"
#include "session/costs.h"
#include "session/find_model.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

/// The shortest decimal number that is this float: 1e-05 rather than 9.999999747378752e-06.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

/// Fields that configurations of both containers have by the same names.
template <typename Model>
ordered_json sizes(const Model& m) {
  return {{"layers", m.n_layers},
          {"dim", m.dim},
          {"heads", m.n_heads},
          {"kv_heads", m.n_kv_heads},
          {"head_dim", m.head_dim},
          {"ffn_dim", m.ffn_dim},
          {"vocab", m.vocab_size},
          {"max_positions", m.max_positions},
          {"rope_theta", shortest(m.rope_theta)},
          {"norm_eps", shortest(m.norm_eps)},
          {"tied_head", m.tied_head},
          {"logit_shift", m.logit_shift}};
}

ordered_json or_null(std::optional<TokenId> id) { return id ? ordered_json(*id) : ordered_json(); }

ordered_json memory_json(const ModelConfig& config, int context) {
  using enum WeightType;
  const auto costs = [&](WeightType type) {
    return Costs(config, element_sizes(DeviceKind::cpu, type));
  };
  ordered_json weights;
  for (const WeightType type : {f32, bf16, int8, int4}) {
    weights[std::string(weight_type_name(type))] = costs(type).weight_bytes();
  }
  return {{"context", context},
          {"weights", weights},
          {"workspace", costs(f32).canvas_bytes(context)},
          {"kv_per_token", costs(f32).kv_bytes_per_token()}};
}

/// What the weight files hold, or why they cannot be used: a configuration alone is worth showing,
/// too.
ordered_json weights_json(const fs::path& directory, const ModelConfig& config) {
  try {
    const Checkpoint checkpoint = open_checkpoint(directory, config);
    std::map<std::string, int> dtypes;
    for (const std::string_view name : checkpoint.names()) ++dtypes[checkpoint.at(name).dtype];
    ordered_json weights{{"bytes", checkpoint.total_bytes()}, {"tensors", dtypes}};
    check_checkpoint(checkpoint, config);
    const WeightType automatic =
        resolve_weight_type(std::nullopt, DeviceKind::cpu, checkpoint, config);
    weights["dtype_auto"] = weight_type_name(automatic);
    return weights;
  } catch (const Error& error) {
    return {{"problem", error.what()}};
  }
}

/// Where it is, and what is wrong with it.
std::string describe_chat_template(const fs::path& directory) {
  std::string file;
  try {
    const std::optional<TemplateText> found = find_chat_template(directory);
    if (!found) return "none";
    file = found->file;
    const jinja::Template parsed(found->text);
    return file;
  } catch (const Error& error) {
    return fmt::format("{}{}{}", file, file.empty() ? "" : ": ", error.what());
  }
}

ordered_json inspect_directory(const fs::path& directory, std::optional<int> context) {
  const ModelConfig config = load_model_config(directory);
  ordered_json shape = sizes(config);
  if (config.rope.kind != RopeKind::plain) {
    shape["rope_scaling"] =
        fmt::format("{} {}", rope_kind_name(config.rope.kind), config.rope.factor);
  }
  return {{"family", family_name(config.family)},
          {"parameters", count_parameters(config)},
          {"sizes", shape},
          {"ids",
           {{"mask", config.mask_id},
            {"eos", config.eos_id},
            {"pad", config.pad_id},
            {"bos", or_null(config.bos_id)},
            {"stop", config.stop_ids}}},
          {"chat_template", describe_chat_template(directory)},
          {"weights", weights_json(directory, config)},
          {"memory", memory_json(config, context.value_or(config.max_positions))}};
}

ordered_json inspect_gguf(const fs::path& file) {
  const GgufFile gguf(file);
  const GgufModel model = read_gguf_model(gguf);
  int64_t elements = 0;
  int64_t bytes = 0;
  std::map<std::string, int> types;
  for (const auto& [name, tensor] : gguf.tensors()) {
    int64_t count = 1;
    for (const int64_t size : tensor.sizes) count *= size;
    elements += count;
    bytes += static_cast<int64_t>(tensor.bytes.size());
    ++types[std::string(tensor.type->name)];
  }
  ordered_json shape = sizes(model);
  if (model.n_experts > 0) {
    shape["experts"] = model.n_experts;
    shape["experts_used"] = model.n_experts_used;
    shape["expert_dim"] = model.expert_dim;
  }
  return {{"family", architecture_name(model.architecture)},
          {"parameters", elements},
          {"sizes", shape},
          {"ids",
           {{"mask", model.mask_id},
            {"eos", or_null(model.eos_id)},
            {"pad", or_null(model.pad_id)},
            {"bos", or_null(model.bos_id)}}},
          {"weights", {{"bytes", bytes}, {"tensors", types}}},
          {"note", fmt::format("GGUF version {}; running GGUF weights is not supported yet",
                               gguf.version())}};
}

std::string fields(const ordered_json& object) {
  std::string out;
  for (const auto& [key, value] : object.items()) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{} {}", key, value.dump());
  }
  return out;
}

void print_line(Console& console, std::string_view label, std::string_view text) {
  console.out << fmt::format("{:<14} {}\n", label, text);
}

void print_memory(const ordered_json& memory, Console& console) {
  const auto bytes = [](const ordered_json& value) { return format_bytes(value.get<int64_t>()); };
  const auto workspace = memory["workspace"].get<int64_t>();
  for (const auto& [dtype, weights] : memory["weights"].items()) {
    print_line(console, "memory " + dtype,
               fmt::format("{} = {} weights + {} workspace at {} tokens",
                           format_bytes(weights.get<int64_t>() + workspace), bytes(weights),
                           format_bytes(workspace), memory["context"].dump()));
  }
  print_line(
      console, "k/v per token",
      fmt::format("{}, with methods that keep keys and values", bytes(memory["kv_per_token"])));
}

void print_weights(const ordered_json& weights, Console& console) {
  if (weights.contains("problem")) {
    print_line(console, "weights", "not usable: " + weights["problem"].get<std::string>());
    return;
  }
  std::string text =
      fmt::format("{} in files, tensors: {}", format_bytes(weights["bytes"].get<int64_t>()),
                  fields(weights["tensors"]));
  if (weights.contains("dtype_auto")) {
    text += "; runs as " + weights["dtype_auto"].get<std::string>() + " here";
  }
  print_line(console, "weights", text);
}

void print(const ordered_json& model, Console& console) {
  print_line(console, "family", model["family"].get<std::string>());
  print_line(console, "parameters", format_count(model["parameters"].get<int64_t>()));
  print_line(console, "sizes", fields(model["sizes"]));
  print_line(console, "token ids", fields(model["ids"]));
  if (model.contains("chat_template")) {
    print_line(console, "chat template", model["chat_template"].get<std::string>());
  }
  print_weights(model["weights"], console);
  if (model.contains("memory")) print_memory(model["memory"], console);
  if (model.contains("note")) print_line(console, "note", model["note"].get<std::string>());
}

}  // namespace

CLI::App* add_inspect(CLI::App& app, InspectArguments& a) {
  CLI::App* command = app.add_subcommand("inspect", "Show what a model is and needs");
  command->add_option("path", a.path, "Model directory or GGUF file")
      ->required()
      ->type_name("DIR|FILE");
  command->add_option("--context", a.context, "Tokens to tell the memory for (the model's most)")
      ->check(CLI::Range(1, 10'000'000).description(""))
      ->type_name("N");
  command->add_flag("--json", a.json, "One JSON object; sizes in bytes");
  command->footer(
      "Examples:\n"
      "  unmask inspect models/LLaDA-8B-Instruct --context 2048\n"
      "  unmask inspect models/dream.gguf --json");
  return command;
}

int inspect(const InspectArguments& a, Console& console) {
  const fs::path path = a.path;
  const ordered_json model = path.extension() == ".gguf"
                                 ? inspect_gguf(path)
                                 : inspect_directory(find_model(a.path, model_caches()), a.context);
  if (a.json) {
    console.out << json_line(model);
  } else {
    print(model, console);
  }
  return kSuccess;
}

}  // namespace unmask
