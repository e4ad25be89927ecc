// Checks and times the kernels of attention and of experts on the first CUDA device.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <random>

#include "gpu_check/kernels.h"

namespace unmask::tools {
namespace {

struct Options {
  std::vector<int> lengths{4224, 8320, 16512, 32896, 65664};
  std::string json;
  uint32_t seed = std::random_device()();
};

int run(const Options& options) {
  cuda::Device device;
  fmt::print("{}\nseed {}\n", device.name(), options.seed);
  Report report({{"device", device.name()}, {"seed", options.seed}}, options.json);
  check_kernels(device, options.seed, report);
  check_experts(device, options.seed, report);
  time_kernels(device, options.lengths, options.seed, report);
  fmt::print("{}\n", report.passed() ? "everything passed" : "something FAILED");
  return report.passed() ? 0 : 1;
}

int main_checked(int argc, char** argv) {
  Options options;
  CLI::App app("Checks and times the kernels of attention and of experts on a CUDA device");
  app.add_option("--lengths", options.lengths, "positions of the timed sequences")->delimiter(',');
  app.add_option("--json", options.json, "file for the findings");
  app.add_option("--seed", options.seed, "of the random values; drawn where it is not given");
  CLI11_PARSE(app, argc, argv);
  return run(options);
}

}  // namespace
}  // namespace unmask::tools

int main(int argc, char** argv) {
  try {
    return unmask::tools::main_checked(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
