// `unmask inspect`: what a model is and needs, without loading its weights.
#include <CLI/CLI.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/terminal/units.h"
#include "core/list_folder.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/packed_file.h"
#include "io/gguf_keys.h"
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

ordered_json sizes(const ModelConfig& m) {
  ordered_json sizes{{"layers", m.n_layers},
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
  if (m.moe.experts > 0) {
    sizes["experts"] = m.moe.experts;
    sizes["experts_used"] = m.moe.top_k;
    sizes["expert_dim"] = m.moe.width;
    if (m.moe.shared_width > 0) sizes["shared_dim"] = m.moe.shared_width;
    if (m.moe.groups > 1) sizes["expert_groups"] = m.moe.groups;
  }
  if (m.visibility.is_block_causal()) sizes["block"] = m.visibility.block;
  if (m.rotary_dim > 0) sizes["rotary_dim"] = m.rotary_dim;
  if (m.qk_norm) sizes["qk_norm"] = true;
  if (m.rope.kind != RopeKind::plain) {
    sizes["rope_scaling"] = fmt::format("{} {}", rope_kind_name(m.rope.kind), m.rope.factor);
  }
  return sizes;
}

ordered_json or_null(std::optional<TokenId> id) { return id ? ordered_json(*id) : ordered_json(); }

/// `own`: of the weights as a GGUF file has them.
ordered_json memory_json(const ModelConfig& config, const std::optional<ElementSizes>& own,
                         int context) {
  using enum WeightType;
  ordered_json weights;
  const auto bytes = [&](const ElementSizes& sizes) { return Costs(config, sizes).weight_bytes(); };
  if (own) weights[std::string(weight_type_name(stored))] = bytes(*own);
  for (const WeightType type : {f32, bf16, int8, int4}) {
    weights[std::string(weight_type_name(type))] = bytes(element_sizes(DeviceKind::cpu, type));
  }
  const Costs plain(config, element_sizes(DeviceKind::cpu, f32));
  return {{"context", context},
          {"weights", weights},
          {"workspace", plain.canvas_bytes(context)},
          {"kv_per_token", plain.kv_bytes_per_token()}};
}

/// Tensors and bytes of each type, and the bits that a weight takes on average.
ordered_json types_json(const TensorDirectory& checkpoint) {
  std::map<std::string, int> tensors;
  std::map<std::string, int64_t> bytes;
  int64_t elements = 0;
  for (const std::string_view name : checkpoint.names()) {
    const StoredTensor& tensor = checkpoint.at(name);
    ++tensors[tensor.dtype];
    bytes[tensor.dtype] += static_cast<int64_t>(tensor.bytes.size());
    elements += tensor.elements();
  }
  const double bits = 8.0 * static_cast<double>(checkpoint.total_bytes()) /
                      static_cast<double>(std::max<int64_t>(elements, 1));
  return {{"bytes", checkpoint.total_bytes()},
          {"tensors", tensors},
          {"bytes_by_type", bytes},
          {"bits_per_weight", std::round(100 * bits) / 100}};
}

/// Whether there are weights, which then should be usable.
bool has_weight_files(const fs::path& path) {
  if (is_gguf_file(path) || is_packed_file(path)) return true;
  return std::ranges::any_of(
      list_folder(path), [](const fs::path& file) { return file.extension() == ".safetensors"; });
}

/// Adds what the weight files hold, or why they cannot be used, and the memory that they need: a
/// configuration alone is worth showing, too.
void add_weights(const fs::path& path, const ModelConfig& config, int context,
                 ordered_json& model) {
  std::optional<ElementSizes> own;
  try {
    const auto checkpoint = open_checkpoint(path, config);
    ordered_json weights = types_json(*checkpoint);
    check_checkpoint(*checkpoint, config);
    const WeightType automatic =
        resolve_weight_type(std::nullopt, DeviceKind::cpu, *checkpoint, config);
    weights["dtype_auto"] = weight_type_name(automatic);
    if (automatic == WeightType::stored) {
      own = element_sizes(DeviceKind::cpu, automatic, *checkpoint, config);
    }
    model["weights"] = weights;
  } catch (const Error& error) {
    model["weights"] = {{"problem", error.what()}};
    model["weights"]["damaged"] = has_weight_files(path);
  }
  model["memory"] = memory_json(config, own, context);
}

/// How the files are packed, and what GGUF metadata says beside the architecture.
ordered_json container_json(const fs::path& path) {
  if (is_packed_file(path)) {
    const PackedDescription packed(path);
    return {{"container", "packed"},
            {"metadata", {{"source", printable(packed.source())}, {"dtype", packed.type()}}}};
  }
  if (!is_gguf_file(path)) return {{"container", "safetensors"}};
  const GgufCheckpoint checkpoint(path);
  const GgufKeys keys(checkpoint.first());
  ordered_json metadata{{"architecture", keys.text("general.architecture")},
                        {"version", checkpoint.first().version()},
                        {"files", checkpoint.parts()},
                        {"keys", checkpoint.first().metadata().size()}};
  for (const char* key : {"general.name", "general.license", "tokenizer.ggml.pre"}) {
    if (const auto text = keys.optional_text(key)) metadata[key] = printable(*text);
  }
  return {{"container", "GGUF"}, {"metadata", metadata}};
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

ordered_json inspect_model(const fs::path& path, const InspectArguments& a) {
  const ModelConfig config = load_model_config(path, a.overrides);
  ordered_json model{{"family", family_name(config.family)}};
  model.update(container_json(path));
  model["parameters"] = count_parameters(config);
  model["sizes"] = sizes(config);
  model["ids"] = {{"mask", config.mask_id},
                  {"eos", config.eos_id},
                  {"pad", config.pad_id},
                  {"bos", or_null(config.bos_id)},
                  {"stop", config.stop_ids}};
  if (!config.mask_source.empty()) model["ids"]["mask_from"] = config.mask_source;
  model["chat_template"] = describe_chat_template(path);
  add_weights(path, config, a.context.value_or(config.max_positions), model);
  return model;
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
  print_text(console, fmt::format("{:<14} {}\n", label, text));
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
  std::vector<std::string> types;
  for (const auto& [type, tensors] : weights["tensors"].items()) {
    types.push_back(fmt::format("{} {} ({})", type, tensors.dump(),
                                format_bytes(weights["bytes_by_type"][type].get<int64_t>())));
  }
  std::string text = fmt::format("{} in files, {} bits a weight, tensors: {}",
                                 format_bytes(weights["bytes"].get<int64_t>()),
                                 weights["bits_per_weight"].dump(), fmt::join(types, ", "));
  if (weights.contains("dtype_auto")) {
    text += "; runs as " + weights["dtype_auto"].get<std::string>() + " here";
  }
  print_line(console, "weights", text);
}

void print(const ordered_json& model, Console& console) {
  print_line(console, "family", model["family"].get<std::string>());
  print_line(console, "container", model["container"].get<std::string>());
  if (model.contains("metadata")) print_line(console, "metadata", fields(model["metadata"]));
  print_line(console, "parameters", format_count(model["parameters"].get<int64_t>()));
  print_line(console, "sizes", fields(model["sizes"]));
  print_line(console, "token ids", fields(model["ids"]));
  print_line(console, "chat template", model["chat_template"].get<std::string>());
  print_weights(model["weights"], console);
  print_memory(model["memory"], console);
}

}  // namespace

CLI::App* add_inspect(CLI::App& app, InspectArguments& a) {
  CLI::App* command = app.add_subcommand("inspect", "Show what a model is and needs");
  command->add_option("path", a.path, "Model directory, GGUF or packed file")
      ->required()
      ->type_name("DIR|FILE");
  command->add_option("--context", a.context, "Tokens to tell the memory for (the model's most)")
      ->check(CLI::Range(1, 10'000'000).description(""))
      ->type_name("N");
  add_override_arguments(*command, a.overrides);
  command->add_flag("--verify", a.verify, "Compare the checksums of a packed file first");
  command->add_flag("--json", a.json, "One JSON object; sizes in bytes");
  command->footer(
      "Examples:\n"
      "  unmask inspect models/LLaDA-8B-Instruct --context 2048\n"
      "  unmask inspect models/dream.gguf --json");
  return command;
}

int inspect(const InspectArguments& a, Console& console) {
  const fs::path path = find_model(a.path, model_caches());
  if (a.verify && !is_packed_file(path)) {
    fail("[inspect] {}: --verify compares checksums, which only packed files have", path.string());
  }
  if (a.verify) PackedFile(path).verify();
  const ordered_json model = inspect_model(path, a);
  if (a.json) {
    console.out << json_line(model);
  } else {
    print(model, console);
  }
  return model["weights"].value("damaged", false) ? kFailure : kSuccess;
}

}  // namespace unmask
