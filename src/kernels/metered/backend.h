// A backend that passes everything on to another and measures it: the same engine then tells where
// the time of a generation goes.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "kernels/backend.h"

namespace unmask {

enum class Operation : uint8_t {
  products,
  attention,
  norms,
  rotations,
  copies,       // embedding, gathering, scattering, adding
  sampling,     // the reduction of logits
  measurements  // that methods asked for
};
inline constexpr int kOperations = 7;
std::string_view operation_name(Operation operation);

/// Seconds on the wall, by operation.
struct OperationTimes {
  std::array<double, kOperations> seconds{};

  double of(Operation operation) const { return seconds[static_cast<size_t>(operation)]; }
  double total() const;
};

class MeteredBackend : public Backend {
 public:
  /// Returns what was measured and begins anew.
  virtual OperationTimes take() = 0;
  /// The most bytes that were allocated at a time, packed weights included.
  virtual size_t peak_bytes() const = 0;
};

std::unique_ptr<MeteredBackend> create_metered_backend(std::unique_ptr<Backend> measured);

}  // namespace unmask
