// Writes a model directory of a well-known size with random weights: for measurements and tests
// where the size of a model matters and its answers do not.
#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "bench/model_shapes.h"
#include "bench/random_weights.h"
#include "checkpoint_writer.h"
#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "io/model_config.h"
#include "model/families.h"

namespace unmask::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::array kTokenizerFiles{"tokenizer.json",
                                     "tokenizer_config.json",
                                     "special_tokens_map.json",
                                     "added_tokens.json",
                                     "vocab.json",
                                     "merges.txt",
                                     "chat_template.jinja"};

struct Options {
  std::string shape;
  std::string dtype = "bf16";
  int shards = 1;
  uint64_t seed = 0;
  int layers = 0;  // 0: as the shape says
  fs::path tokenizer;
  fs::path output;
};

/// The directory while it is being written, next to its final place; removed unless it got there.
class PartialDirectory {
 public:
  explicit PartialDirectory(const fs::path& target) : target_(target), path_(target) {
    path_ += ".partial";
    if (fs::exists(target_)) {
      fail("[write] {}: exists already; remove it or choose another name", target_.string());
    }
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~PartialDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  PartialDirectory(const PartialDirectory&) = delete;
  PartialDirectory& operator=(const PartialDirectory&) = delete;

  const fs::path& path() const { return path_; }

  void publish() {
    fs::rename(path_, target_);
    path_.clear();
  }

 private:
  fs::path target_;
  fs::path path_;
};

void copy_tokenizer(const fs::path& from, const fs::path& to) {
  int copied = 0;
  for (const char* name : kTokenizerFiles) {
    if (!fs::exists(from / name)) continue;
    fs::copy_file(from / name, to / name);
    ++copied;
  }
  if (copied == 0) fail("[tokenizer] {}: holds no tokenizer files", from.string());
}

void check_space(const fs::path& directory, int64_t needed) {
  const auto free = fs::space(directory).available;
  if (free >= static_cast<uintmax_t>(needed)) return;
  fail("[write] {}: {:.1f} MB free, {:.1f} MB needed; free some space", directory.string(),
       static_cast<double>(free) / 1e6, static_cast<double>(needed) / 1e6);
}

void write_configs(const fs::path& directory, const Options& options) {
  ModelShape shape = model_shape(options.shape);
  if (options.layers > 0) shape.config[shape.layers_key] = options.layers;
  if (shape.config.contains("torch_dtype")) {
    shape.config["torch_dtype"] = options.dtype == "bf16" ? "bfloat16" : "float32";
  }
  write_text(directory / "config.json", shape.config.dump(2) + "\n");
  write_text(directory / "generation_config.json", shape.generation.dump(2) + "\n");
}

void run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  PartialDirectory directory(options.output);
  write_configs(directory.path(), options);
  // What was written is read back the way a model is loaded, so the two cannot drift apart.
  const ModelConfig config = load_model_config(directory.path());
  const std::vector<TensorSpec> specs = tensor_specs(config);
  const RandomWeights weights(options.seed, options.dtype == "bf16" ? DType::bf16 : DType::f32);
  const int64_t bytes = checkpoint_bytes(specs, weights.dtype());
  check_space(directory.path(), bytes);
  if (!options.tokenizer.empty()) copy_tokenizer(options.tokenizer, directory.path());
  write_weights(directory.path(), specs, weights, options.shards);
  check_checkpoint(Checkpoint(directory.path()), config);
  directory.publish();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print("{}: {} tensors, {:.3f} GB in {:.1f} s\n", options.output.string(), specs.size(),
             static_cast<double>(bytes) / 1e9, took.count());
}

int main_checked(int argc, char** argv) {
  Options options;
  CLI::App app("Writes a model directory with random weights.");
  app.add_option("--shape", options.shape, "Which model")
      ->required()
      ->check(CLI::IsMember(model_shape_names()));
  app.add_option("--dtype", options.dtype, "Element type of the weights")
      ->capture_default_str()
      ->check(CLI::IsMember({"bf16", "f32"}));
  app.add_option("--shards", options.shards, "Number of weight files")
      ->capture_default_str()
      ->check(CLI::Range(1, 99999));
  app.add_option("--seed", options.seed, "Seed of the weights")->capture_default_str();
  app.add_option("--layers", options.layers, "Number of layers, instead of the model's")
      ->check(CLI::Range(1, 4096));
  app.add_option("--tokenizer", options.tokenizer, "Directory to copy tokenizer files from")
      ->check(CLI::ExistingDirectory);
  app.add_option("output", options.output, "Directory to create")->required();
  CLI11_PARSE(app, argc, argv);
  run(options);
  return 0;
}

}  // namespace
}  // namespace unmask::tools

int main(int argc, char** argv) {
  try {
    return unmask::tools::main_checked(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "random_checkpoint: {}\n", error.what());
    return 1;
  }
}
