#pragma once

#include <vector>

#include "sampling/sampler.h"

namespace unmask {

inline std::vector<int> positions(const std::vector<Decision>& decisions) {
  std::vector<int> list;
  for (const Decision& d : decisions) list.push_back(d.position);
  return list;
}

}  // namespace unmask
