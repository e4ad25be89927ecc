// Checks and times the attention kernels on the first CUDA device.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "gpu_check/kernels.h"

namespace {

using namespace unmask;

struct Options {
  std::vector<int> lengths{4224, 8320, 16512, 32896, 65664};
  std::string json;
  uint32_t seed = std::random_device{}();
};

int run(const Options& options) {
  cuda::Device device;
  fmt::print("{}, seed {}\n", device.name(), options.seed);
  tools::Report report;
  tools::check_kernels(device, options.seed, report);
  tools::time_kernels(device, options.lengths, options.seed, report);
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << nlohmann::ordered_json{{"device", device.name()},
                                   {"seed", options.seed},
                                   {"findings", report.json()}}
                .dump(2)
         << '\n';
    if (!file.flush()) fail("[output] {}: cannot be written", options.json);
  }
  return report.passed() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Checks and times the attention kernels on a CUDA device."};
  Options options;
  app.add_option("--lengths", options.lengths, "positions of the timed sequences")->delimiter(',');
  app.add_option("--json", options.json, "file for the findings");
  app.add_option("--seed", options.seed, "of the random values; else another each time");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
}
