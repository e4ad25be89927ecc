// The backend of the ranks that are led (kernels/ranks/leader.h).
#pragma once

#include <memory>

#include "kernels/backend_wrapper.h"
#include "ranks/communicator.h"

namespace unmask {

class FollowingBackend : public BackendWrapper {
 public:
  using BackendWrapper::BackendWrapper;
  /// Repeats what rank 0 calls until it calls no more. `embedding`: of the model that was loaded
  /// with this backend. Ends all ranks when something goes wrong here (Communicator::give_up).
  virtual void follow(const HostMatrix& embedding) = 0;
};

struct FollowOptions {
  bool verifies = false;  // as the leader has it
};

/// `own` and `ranks` as for the leader.
std::unique_ptr<FollowingBackend> create_following_backend(std::unique_ptr<Backend> own,
                                                           Communicator& ranks,
                                                           const FollowOptions& options);

}  // namespace unmask
