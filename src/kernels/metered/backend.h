// A decorator that times every call of another backend: run the usual engine on it to learn where
// the time of a generation goes.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "kernels/backend_wrapper.h"

namespace unmask {

enum class Operation : uint8_t {
  products,
  attention,
  norms,
  rotations,
  copies,        // embedding, gathering, scattering, adding
  sampling,      // the reduction of logits
  measurements,  // that methods asked for
  series         // of steps without the host; less what its steps took of the other operations
};
inline constexpr int kOperations = 8;
std::string_view operation_name(Operation operation);

/// Seconds on the wall, by operation.
struct OperationTimes {
  std::array<double, kOperations> seconds{};

  double of(Operation operation) const { return seconds[static_cast<size_t>(operation)]; }
  double total() const;
};

class MeteredBackend : public BackendWrapper {
 public:
  using BackendWrapper::BackendWrapper;

  /// Returns what was measured and starts from zero.
  virtual OperationTimes take() = 0;
  /// The most bytes that were allocated at a time, packed weights included.
  virtual size_t peak_bytes() const = 0;
};

std::unique_ptr<MeteredBackend> create_metered_backend(std::unique_ptr<Backend> measured);

}  // namespace unmask
