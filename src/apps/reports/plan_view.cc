#include "apps/reports/plan_view.h"

#include <fmt/format.h>

#include "apps/draw/text_table.h"
#include "apps/terminal/units.h"

namespace unmask {

namespace {

using nlohmann::ordered_json;

std::string rate(double operations) { return format_operations(operations) + "/s"; }

std::string seconds(double s) {
  return s < 1 ? fmt::format("{:.3g} ms", 1e3 * s) : fmt::format("{:.3g} s", s);
}

/// Received, seconds, and how many times faster than on one machine.
void add_pass(const SharedPass& pass, const SharedPass& alone, std::vector<std::string>& row) {
  row.push_back(pass.received == 0 ? "-" : format_bytes(pass.received));
  row.push_back(seconds(pass.seconds()));
  row.push_back(fmt::format("{:.2f}", alone.seconds() / pass.seconds()));
}

std::string table(std::span<const ClusterPlan> plans, int64_t memory) {
  TextTable table{.header = {"context split", "memory", "full: received", "time", "faster",
                             "cached: received", "time", "faster"}};
  for (const ClusterPlan& plan : plans) {
    for (const SharedWork& way : plan.ways) {
      std::vector<std::string> row{
          fmt::format("{:>7} {}", format_count(plan.context), sharing_name(way.sharing)),
          format_bytes(way.memory) + (way.memory > memory ? "!" : "")};
      add_pass(way.full, plan.ways.front().full, row);
      add_pass(way.cached, plan.ways.front().cached, row);
      table.rows.push_back(std::move(row));
    }
  }
  return to_text(table);
}

/// How a way is asked for.
std::string_view spelling(Sharing sharing) {
  switch (sharing) {
    case Sharing::prompts: return "each process by itself, with its share of the prompts (--shard)";
    case Sharing::rows: return "--ranks mpi --split rows";
    case Sharing::columns: break;
  }
  return "--ranks mpi --split columns";
}

std::string choice(const ClusterPlan& plan, int64_t memory) {
  const SharedWork* many = plan.for_many_prompts(memory);
  const SharedWork* one = plan.for_one_prompt(memory);
  if (many == nullptr || one == nullptr) {
    return fmt::format("{:>7}: no machine has the memory, however the work is shared\n",
                       format_count(plan.context));
  }
  const double alone = plan.ways.front().block_seconds;
  const std::string_view for_one =
      one->sharing == Sharing::prompts ? "one machine alone" : spelling(one->sharing);
  return fmt::format(
      "{:>7}: many prompts: {}\n"
      "{:>7}  one prompt: {}, {} a block, {:.2f} times as fast as one machine\n",
      format_count(plan.context), spelling(many->sharing), "", for_one, seconds(one->block_seconds),
      alone / one->block_seconds);
}

ordered_json pass_json(const SharedPass& pass) {
  return {{"rows", pass.rows},
          {"received_bytes", pass.received},
          {"gathers", pass.gathers},
          {"compute_seconds", pass.computing},
          {"network_seconds", pass.waiting},
          {"seconds", pass.seconds()}};
}

ordered_json name_or_null(const SharedWork* way) {
  return way == nullptr ? ordered_json() : ordered_json(sharing_name(way->sharing));
}

}  // namespace

std::string plan_text(const PlannedCluster& about, std::span<const ClusterPlan> plans) {
  const Cluster& c = about.cluster;
  std::string text = fmt::format(
      "model     {}, {} weights\n"
      "machines  {}, each at most {} in products, {} in attention, {}/s from memory; {}\n"
      "network   {:.4g} Gbit/s, {:.3g} us a message\n\n",
      about.model, about.weights, c.ranks, rate(c.rates.products), rate(c.rates.attention),
      format_bytes(static_cast<int64_t>(c.rates.read)), format_bytes(about.memory),
      c.network * 8 / 1e9, c.latency * 1e6);
  text += table(plans, about.memory) + '\n';
  for (const ClusterPlan& plan : plans) text += choice(plan, about.memory);
  return text;
}

ordered_json plan_json(const PlannedCluster& about, std::span<const ClusterPlan> plans) {
  const Cluster& c = about.cluster;
  ordered_json contexts = ordered_json::array();
  for (const ClusterPlan& plan : plans) {
    ordered_json ways;
    for (const SharedWork& way : plan.ways) {
      ways[std::string(sharing_name(way.sharing))] = {{"memory_bytes", way.memory},
                                                      {"fits", way.memory <= about.memory},
                                                      {"full", pass_json(way.full)},
                                                      {"cached", pass_json(way.cached)},
                                                      {"block_seconds", way.block_seconds}};
    }
    contexts.push_back({{"context", plan.context},
                        {"splits", std::move(ways)},
                        {"many_prompts", name_or_null(plan.for_many_prompts(about.memory))},
                        {"one_prompt", name_or_null(plan.for_one_prompt(about.memory))}});
  }
  return {{"model", about.model},
          {"dtype", about.weights},
          {"ranks", c.ranks},
          {"memory_bytes", about.memory},
          {"network_bytes_per_second", c.network},
          {"latency_seconds", c.latency},
          {"product_operations_per_second", c.rates.products},
          {"attention_operations_per_second", c.rates.attention},
          {"read_bytes_per_second", c.rates.read},
          {"contexts", std::move(contexts)}};
}

}  // namespace unmask
