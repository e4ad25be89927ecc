// Checks and times the CUDA backend on a machine that has a device: see docs/cuda.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <random>

#include "gpu_check/parts.h"

namespace unmask::tools {
namespace {

struct Options {
  std::string device = "cuda";
  std::string golden;
  std::string json;
  std::vector<std::string> shapes{"llada-8b", "dream-7b"};
  std::vector<int> lengths{8192, 16384, 65536};
  int generated = 128;
  int real_steps = 16;
  uint32_t seed = std::random_device()();
  std::vector<std::string> parts{"functions", "golden", "steps", "real"};
};

MakeBackend maker(const std::string& device) {
  if (device == "cuda") return create_cuda_backend;
  return [](const CudaOptions&) { return create_cpu_backend({}); };
}

void run_part(const std::string& part, const Options& o, Report& report) {
  const MakeBackend make = maker(o.device);
  if (part == "functions") check_functions(make, o.seed, report);
  if (part == "golden") check_golden(make, o.golden, report);
  for (const std::string& shape : o.shapes) {
    const StepTimesOptions options{shape, o.lengths, o.generated, o.real_steps};
    if (part == "steps") time_steps(make, options, report);
    if (part == "real") check_composition(make, options, report);
  }
}

int run(const Options& o) {
  const std::string backend = maker(o.device)({})->describe();
  fmt::print("{}\nseed {}\n", backend, o.seed);
  Report report({{"backend", backend}, {"seed", o.seed}}, o.json);
  for (const std::string& part : o.parts) {
    try {
      run_part(part, o, report);
    } catch (const std::exception& error) {
      report.fail(part, error.what());
    }
  }
  fmt::print("{}\n", report.passed() ? "everything passed" : "something FAILED");
  return report.passed() ? 0 : 1;
}

int main_checked(int argc, char** argv) {
  Options o;
  CLI::App app("Checks and times a backend, the CUDA one unless told otherwise");
  app.add_option("--device", o.device, "cuda, or cpu to try the check itself")
      ->check(CLI::IsMember({"cuda", "cpu"}));
  app.add_option("--golden", o.golden, "folder of the recorded generations");
  app.add_option("--json", o.json, "file for the findings");
  app.add_option("--parts", o.parts, "functions, golden, steps, real")
      ->check(CLI::IsMember({"functions", "golden", "steps", "real"}));
  app.add_option("--shapes", o.shapes, "shapes of the timed models");
  app.add_option("--lengths", o.lengths, "lengths of their prompts, ascending");
  app.add_option("--generated", o.generated, "masked positions behind them");
  app.add_option("--real-steps", o.real_steps, "steps of the part real, at the last length");
  app.add_option("--seed", o.seed, "of the random values; drawn where it is not given");
  CLI11_PARSE(app, argc, argv);
  return run(o);
}

}  // namespace
}  // namespace unmask::tools

int main(int argc, char** argv) {
  try {
    return unmask::tools::main_checked(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_check: error: %s\n", error.what());
    return 1;
  }
}
