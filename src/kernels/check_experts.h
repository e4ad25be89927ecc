// Preconditions of a feed-forward of experts, checked by every backend.
#pragma once

#include "core/error.h"
#include "kernels/experts.h"
#include "kernels/into.h"

namespace unmask {

/// Throws LogicError when shapes and routing do not fit each other.
inline void check_experts(Tensor x, const Experts& experts, Tensor out, Into into) {
  const auto n = static_cast<int>(experts.maps.size());
  UNMASK_CHECK(into != Into::gate, "the output of experts gates nothing");
  UNMASK_CHECK(out.rows == x.rows && out.cols == x.cols, "shapes of experts");
  UNMASK_CHECK(experts.router.rows == n && experts.router.cols == x.cols, "shape of a router");
  const Routing& routing = experts.routing;
  UNMASK_CHECK(1 <= routing.top_k && routing.top_k <= n, "a row takes one expert to all of them");
  UNMASK_CHECK(n % routing.groups == 0 && routing.groups_kept <= routing.groups &&
                   routing.top_k <= n / routing.groups * routing.groups_kept,
               "groups of experts");
}

}  // namespace unmask
