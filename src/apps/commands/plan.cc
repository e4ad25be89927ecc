// `unmask plan`: what several machines would make of a model, before there are any.
#include <CLI/CLI.hpp>
#include <limits>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/reports/plan_view.h"
#include "bench/generation.h"
#include "core/platform/memory.h"
#include "io/json_file.h"
#include "io/model_config.h"
#include "model/families.h"
#include "session/cached_models.h"
#include "session/find_model.h"

namespace unmask {

namespace {

/// A configuration alone is enough where the type of the weights is named.
struct PlannedModel {
  ModelConfig config;
  WeightType weights;
  ElementSizes sizes;
};

PlannedModel planned_model(const std::filesystem::path& path, const PlanArguments& a) {
  const ModelConfig config = load_model_config(path, a.overrides);
  const auto wanted = parse_weight_type(a.dtype);
  if (wanted && *wanted != WeightType::stored) {
    return {config, *wanted, element_sizes(DeviceKind::cpu, *wanted)};
  }
  const auto checkpoint = open_checkpoint(path, config);
  const WeightType weights = resolve_weight_type(wanted, DeviceKind::cpu, *checkpoint, config);
  return {config, weights, element_sizes(DeviceKind::cpu, weights, *checkpoint, config)};
}

Rates rates_of_machine(const PlanArguments& a, WeightType weights, Console& console) {
  if (a.machine.empty()) {
    return rates_at(measure_ceilings(threads_for(a.threads, console)), weights);
  }
  return {.products = a.machine[0] * 1e12,
          .attention = a.machine[1] * 1e12,
          .read = a.machine[2] * 1e9};
}

int64_t memory_of_machine(const PlanArguments& a) {
  if (a.memory) return static_cast<int64_t>(*a.memory * 1e9);
  return available_memory().value_or(std::numeric_limits<int64_t>::max());
}

}  // namespace

CLI::App* add_plan(CLI::App& app, PlanArguments& a) {
  CLI::App* command = app.add_subcommand(
      "plan", "Tell what several machines would make of a model, and how to share the work");
  add_directory(*command, a.directory);
  restrict_to(command->add_option("--dtype", a.dtype, "Type of the weights in memory"),
              weight_type_names());
  add_override_arguments(*command, a.overrides);
  command->add_option("--ranks", a.ranks, "Machines (2)")
      ->check(CLI::Range(2, 4096).description(""))
      ->type_name("N");
  command->add_option("--network", a.network, "What a machine receives (10)")
      ->check(CLI::Range(1e-3, 1e6).description(""))
      ->type_name("GBIT/S");
  command
      ->add_option("--latency", a.latency,
                   "Microseconds that a message takes, however short it is (50, as TCP does)")
      ->check(CLI::Range(0.0, 1e6).description(""))
      ->type_name("US");
  command->add_option("--context", a.contexts, "Positions of a canvas (4096)")
      ->check(CLI::Range(2, 10'000'000).description(""))
      ->delimiter(',')
      ->type_name("N,...");
  command->add_option("--memory", a.memory, "Gigabytes of one machine (what is free here)")
      ->check(CLI::Range(1e-6, 1e6).description(""))
      ->type_name("GB");
  command
      ->add_option("--machine", a.machine,
                   "What one machine does: 10^12 operations a second in products and in attention, "
                   "and GB/s from memory (what this one does at best, measured)")
      ->expected(3)
      ->delimiter(',')
      ->check(CLI::Range(1e-6, 1e9).description(""))
      ->type_name("P,A,R");
  command->add_option("--threads", a.threads, "Threads of one machine (those of this one)")
      ->check(CLI::Range(0, 4096).description(""))
      ->type_name("N");
  command->add_flag("--json", a.json, "One JSON object; sizes in bytes, times in seconds");
  command->footer(
      "Machines are alike. Without --machine they do what this one does at best, so times are\n"
      "lower bounds. A full pass computes all positions, a cached one the last block. What\n"
      "waits for the network computes nothing meanwhile.\n\n"
      "Examples:\n"
      "  unmask plan -m models/LLaDA-8B-Instruct --ranks 4 --network 25 --context 4096,65536\n"
      "  unmask plan -m models/LLaDA-8B-Instruct --dtype int8 --machine 20,10,300 --memory 256");
  return command;
}

int plan(const PlanArguments& a, Console& console) {
  const std::filesystem::path path = find_model(a.directory, model_caches());
  const PlannedModel model = planned_model(path, a);
  std::vector<Request> requests;
  for (const int context : a.contexts) requests.push_back(block_request(model.config, context));
  const PlannedCluster about{path.filename().string(),
                             std::string(weight_type_name(model.weights)),
                             {.ranks = a.ranks,
                              .rates = rates_of_machine(a, model.weights, console),
                              .network = a.network * 1e9 / 8,
                              .latency = a.latency * 1e-6},
                             memory_of_machine(a)};
  const Costs costs(model.config, model.sizes);
  std::vector<ClusterPlan> plans;
  plans.reserve(requests.size());
  for (const Request& request : requests) {
    plans.push_back(plan_cluster(costs, request, about.cluster));
  }
  console.out << (a.json ? json_line(plan_json(about, plans)) : plan_text(about, plans));
  return kSuccess;
}

}  // namespace unmask
