// Eviction by the votes of masks, in the spirit of MaskKV (arXiv 2510.09309): early in each block
// every key head keeps the prompt positions that the block's masks attend to most. Experimental:
// the paper's code is not published.
#pragma once

#include <memory>
#include <vector>

#include "methods/evicting_cache.h"
#include "methods/options.h"

namespace unmask {

struct MaskKvOptions {
  double keep = 0.5;  // share of the prompt that every key head keeps
  EvictionSteps steps{};
};

class MaskKv final : public EvictingCache {
 public:
  explicit MaskKv(const MaskKvOptions& options) : EvictingCache(options.steps), options_(options) {}
  std::string_view name() const override { return "maskkv"; }

 private:
  std::vector<Rows> select(const AttendScope& scope, const PresentKeys& present) const override;

  MaskKvOptions options_;
};

/// keep, delay.
std::unique_ptr<Method> create_maskkv(Options& options, const MethodContext& context);

}  // namespace unmask
