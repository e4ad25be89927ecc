// A method around another one that notes which keys it lets its queries see.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "methods/method_wrapper.h"

namespace unmask {

/// Of one layer in one step.
struct SeenKeys {
  std::vector<std::vector<int>> positions{};  // at hand, of each key head
  std::optional<BlockPattern> pattern{};      // of those, what each block of queries looks at

  /// For each position whether a query at `query` sees it.
  std::vector<bool> seen_by(int query, int head, int kv_head, int length) const;
};

class SeenKeysProbe final : public MethodWrapper {
 public:
  /// `layers` takes what the last computed step saw, one entry a layer; it outlives the probe.
  SeenKeysProbe(std::unique_ptr<Method> watched, std::vector<SeenKeys>& layers)
      : MethodWrapper(std::move(watched)), layers_(layers) {}

  /// Throws Error when the method looks at a cache and does not say what its slots stand for.
  Attention attend(AttendScope& scope) override;

 private:
  std::vector<SeenKeys>& layers_;
};

}  // namespace unmask
