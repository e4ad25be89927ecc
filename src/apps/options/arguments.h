// Command line options that several commands share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/terminal/console.h"
#include "session/request_builder.h"
#include "session/shard.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace unmask {

class Communicator;

struct ModelArguments {
  std::string directory;
  std::string device = "cpu";
  int threads = 0;
  std::string dtype = "auto";
  std::vector<std::string> adapters{};   // DIR or DIR:SCALE
  std::optional<double> max_memory{};    // GB
  std::optional<double> prefix_cache{};  // GB
  bool shares_prefixes = false;          // the command may answer prompts that begin alike
  ModelOverrides overrides{};
  std::string ranks{};            // who shares the model: "mpi"; empty: nobody
  std::string split = "columns";  // what they share out
  bool verifies_ranks = false;
  Communicator* communicator = nullptr;  // on rank 0, where there are others
};

/// Where the text to work on comes from; neither: standard input.
struct PromptArguments {
  std::optional<std::string> text{};
  std::optional<std::string> file{};
};

struct ViewArguments {
  bool live = false;
  int delay = 0;  // milliseconds after each step
};

void add_directory(CLI::App& app, std::string& directory);
/// --mask-id, --eos-id.
void add_override_arguments(CLI::App& app, ModelOverrides& overrides);
/// --model, --device, --threads, --dtype, --max-memory, --lora, --ranks, --split, --verify-ranks,
/// --mask-id, --eos-id.
void add_model_arguments(CLI::App& app, ModelArguments& arguments);
/// --prefix-cache.
void add_prefix_cache(CLI::App& app, ModelArguments& arguments);
/// Bytes of what --prefix-cache says, by default for block-causal models and where one of the
/// `expected` requests computes its prompt in chunks. Throws Error when it was given for nothing.
size_t prefix_cache_bytes(const ModelArguments& arguments, const ModelConfig& config,
                          std::span<const Request> expected);
/// Bytes of the host that weights and canvases may take: --max-memory, else what is free; nothing
/// where that is not known.
std::optional<int64_t> memory_for(const ModelArguments& arguments);
/// Threads to compute with: as many as asked for, but no more than processors, with a warning; 0:
/// one for each.
int threads_for(int asked, Console& console);
void add_prompt_arguments(CLI::App& app, PromptArguments& arguments);
void add_chat_arguments(CLI::App& app, PromptOptions& options);
/// --raw; after add_chat_arguments, whose options it excludes.
void add_raw_argument(CLI::App& app, bool& raw);
/// --seed; -1 draws one.
void add_seed_argument(CLI::App& app, uint64_t& seed, bool& drawn, const std::string& help,
                       const std::string& group);
/// Names a seed that was drawn, so that the same answer can be had again.
void announce_seed(uint64_t seed, bool drawn, Console& console);
/// -n and --max-tokens.
void add_length_arguments(CLI::App& app, RequestOptions& options);
/// All of RequestOptions but the method.
void add_denoising_arguments(CLI::App& app, RequestOptions& options);
/// The presets and what they stand for, a line each, for the end of a help text.
std::string preset_help();
/// All of them, and --profile.
void add_generation_arguments(CLI::App& app, RequestOptions& options);

/// The share of this process: as --shard says, else that of mpirun or srun, unless its processes
/// share the model instead. Throws Error as parse_shard.
Shard chosen_shard(const std::optional<std::string>& option, const ModelArguments& model);

/// Lets `option` take one of `values` only.
CLI::Option* restrict_to(CLI::Option* option, const std::vector<std::string>& values);
/// The values that restrict_to gave an option, read back from its help text; empty without.
std::vector<std::string> choices_of(const CLI::Option& option);

}  // namespace unmask
