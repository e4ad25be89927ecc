// What a cluster would make of a model, for people and for scripts.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "session/cluster_plan.h"

namespace unmask {

/// What plans are about.
struct PlannedCluster {
  std::string model;
  std::string weights;  // their type in memory
  Cluster cluster;
  int64_t memory;  // bytes of one machine; of this one, where nothing else is said
};

/// A table with a line for each context and way of sharing, and which way to choose.
std::string plan_text(const PlannedCluster& about, std::span<const ClusterPlan> plans);
nlohmann::ordered_json plan_json(const PlannedCluster& about, std::span<const ClusterPlan> plans);

}  // namespace unmask
