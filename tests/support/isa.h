// The kernels of this machine, for suites that run with each.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "kernels/create_backend.h"

namespace unmask::testing {

inline std::vector<std::string> isa_levels() { return cpu_kernel_names(); }

/// A CPU backend with the kernels `isa`.
inline std::unique_ptr<Backend> create_cpu_backend_on(const std::string& isa, CpuOptions options) {
  options.kernels = isa;
  return create_cpu_backend(options);
}

inline std::string isa_test_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace unmask::testing
