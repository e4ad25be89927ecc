// What processes that share a model have to tell each other in a forward pass: each holds some
// heads of every layer and a part of the feed-forward's width, and the outputs of a sublayer are
// the sums of all parts. Methods decide in every process by the heads that it holds.
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
