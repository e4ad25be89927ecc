// The sum over processes that share a model (tensor parallelism): each holds some heads and a part
// of the feed-forward's width of every layer, so its output of a sublayer is one term of a sum.
// Methods that choose by keys or queries see the heads of their own process only.
#pragma once

#include "kernels/backend.h"

namespace unmask {

class Collective {
 public:
  virtual ~Collective() = default;

  /// Replaces a process's part by the sum of all parts, with the same bits in every process. Each
  /// process calls it as often and with as many rows as the others.
  virtual void sum(Backend& backend, Tensor part) = 0;
};

}  // namespace unmask
