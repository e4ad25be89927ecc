#include "kernels/product_kernels.h"

namespace unmask::testing {

/// Instructions have one encoding each.
std::vector<Twin> twins_of_kernels() { return {}; }

}  // namespace unmask::testing
