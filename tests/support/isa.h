// The instruction sets of this machine, for suites that run under each.
#pragma once

#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "core/cpu_info.h"
#include "kernels/create_backend.h"

namespace unmask::testing {

inline std::vector<std::string> isa_levels() {
  std::vector<std::string> names;
  for (const IsaLevel level :
       {IsaLevel::plain, IsaLevel::avx2, IsaLevel::avx512, IsaLevel::avx512_bf16}) {
    if (level <= detect_isa()) names.emplace_back(isa_name(level));
  }
  return names;
}

/// A CPU backend held to `isa`.
inline std::unique_ptr<Backend> create_cpu_backend_on(const std::string& isa,
                                                      const CpuOptions& options) {
  setenv("UNMASK_ISA", isa.c_str(), 1);
  auto backend = create_cpu_backend(options);
  unsetenv("UNMASK_ISA");
  return backend;
}

inline std::string isa_test_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace unmask::testing
