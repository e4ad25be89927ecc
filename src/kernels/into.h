// Where a matrix product goes. Included by the files of an instruction set, hence without the C++
// library.
#pragma once

#include <stdint.h>

namespace unmask {

/// Where a product y goes.
enum class Into : uint8_t {
  store,  // out = y
  add,    // out += y, as for residuals
  gate    // out = silu(out) * y, as in SwiGLU (arXiv 2002.05202)
};

}  // namespace unmask
