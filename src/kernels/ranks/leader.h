// Rank 0's backend: what the engine asks of it, all ranks do. Only rank 0 knows of requests,
// methods and tokens; the others repeat its calls on memory of their own
// (kernels/ranks/follower.h).
#pragma once

#include <memory>

#include "core/stop.h"
#include "kernels/ranks/reading_wrapper.h"
#include "ranks/communicator.h"

namespace unmask {

struct LeadOptions {
  StopToken stop{};  // looked at between calls: none is broken off, since all ranks are in it
  /// Compares hashes of all that was computed before the host reads a result, and throws Error
  /// where a rank differs. Of what lies in parts, only what all have in the end is compared.
  bool verifies = false;
};

class LeadingBackend : public ReadingWrapper {
 public:
  using ReadingWrapper::ReadingWrapper;
  /// From now on the others are told of every call. Before, they make the same calls by themselves:
  /// they load the same model.
  virtual void lead() = 0;
};

/// `own`: a backend of the host's memory that shares its work with `ranks`, which outlives the
/// result. An error in the midst of a call that all ranks are in ends them all
/// (Communicator::give_up).
std::unique_ptr<LeadingBackend> create_leading_backend(std::unique_ptr<Backend> own,
                                                       Communicator& ranks,
                                                       const LeadOptions& options);

}  // namespace unmask
