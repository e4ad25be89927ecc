// What the codes of two block formats stand for. No C++ header: kernels of instruction sets read
// it.
#pragma once

#include <stdint.h>

namespace unmask {

inline constexpr int8_t kIq4Levels[] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};
inline constexpr int8_t kMxfp4Levels[] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace unmask
