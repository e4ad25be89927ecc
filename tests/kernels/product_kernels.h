// The kernels that products are tested with: those of this processor and, where it can run the same
// source in another encoding of its instructions, that, too.
#pragma once

#include <string>
#include <vector>

#include "kernels/cpu/variants.h"
#include "kernels/create_backend.h"

namespace unmask::testing {

/// Kernels that no backend takes.
struct Twin {
  std::string name;
  const cpu::KernelTable& (*table)();
};
std::vector<Twin> twins_of_kernels();

inline std::vector<std::string> product_kernels() {
  std::vector<std::string> names = cpu_kernel_names();
  for (const Twin& twin : twins_of_kernels()) names.push_back(twin.name);
  return names;
}

inline const cpu::KernelTable& kernel_table(const std::string& name) {
  for (const Twin& twin : twins_of_kernels()) {
    if (twin.name == name) return twin.table();
  }
  return cpu::select_variant(name).table();
}

}  // namespace unmask::testing
