#include "apps/reports/memory.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <sys/resource.h>

#include "model/families.h"

namespace unmask {

namespace {

// As in transformer.cc and engine.cc; a test compares the sum with what they really allocate.
constexpr int64_t kFeedForwardTile = 1024;
constexpr int64_t kLogitRows = 64;

std::optional<int64_t> meminfo_available() {
  std::ifstream file("/proc/meminfo");
  for (std::string key; file >> key;) {
    int64_t kib = 0;
    if (key == "MemAvailable:" && file >> kib) return kib * 1024;
    file.ignore(256, '\n');
  }
  return std::nullopt;
}

/// The limit of this process's container (cgroup v2); unlimited reads "max", which is no number.
std::optional<int64_t> container_limit() {
  std::ifstream file("/sys/fs/cgroup/memory.max");
  int64_t bytes = 0;
  return file >> bytes ? std::optional(bytes) : std::nullopt;
}

}  // namespace

MemoryNeed memory_need(const ModelConfig& config, WeightType weights, int rows) {
  MemoryNeed need;
  for (const TensorSpec& spec : tensor_specs(config)) {
    int64_t elements = 1;
    for (const int64_t size : spec.shape) elements *= size;
    const bool matrix = spec.shape.size() == 2;
    if (spec.role == TensorRole::embedding && !config.tied_head) continue;
    const double bits = matrix ? bits_per_weight(weights) : 32;
    need.weights += static_cast<int64_t>(static_cast<double>(elements) * bits / 8);
  }
  const int64_t n = rows;
  const int64_t q_dim = int64_t{config.n_heads} * config.head_dim;
  const int64_t kv_dim = int64_t{config.n_kv_heads} * config.head_dim;
  const int64_t tile = std::min(n, kFeedForwardTile);
  const int64_t floats = n * (4 * int64_t{config.dim} + 2 * q_dim + 2 * kv_dim) +
                         tile * (config.dim + int64_t{config.ffn_dim}) +
                         std::min(n, kLogitRows) * config.vocab_size;
  need.workspace = floats * int64_t{sizeof(float)};
  need.kv_per_token = 2 * kv_dim * config.n_layers * int64_t{sizeof(float)};
  return need;
}

std::optional<int64_t> available_memory() {
  const auto free = meminfo_available();
  const auto limit = container_limit();
  if (free && limit) return std::min(*free, *limit);
  return free ? free : limit;
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

}  // namespace unmask
