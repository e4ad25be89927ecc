// Memory by position that becomes longer with the canvas.
#pragma once

#include "kernels/backend.h"

namespace unmask {

struct DenseShape {
  DType type;
  int rows;
  int cols;
};

/// A buffer of this shape, the first `known` rows of which are those of `old`.
Buffer lengthened(Backend& backend, const Buffer& old, int known, const DenseShape& shape);

}  // namespace unmask
