// The instruction sets of this machine, for suites that run under each.
#pragma once

#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/platform/processor.h"
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

/// Holds what is created in its lifetime to one instruction set, whatever the suite runs under.
class UnderIsa {
 public:
  explicit UnderIsa(const std::string& isa) {
    if (const char* before = std::getenv(kVariable)) before_ = before;
    setenv(kVariable, isa.c_str(), 1);
  }
  ~UnderIsa() {
    if (before_) {
      setenv(kVariable, before_->c_str(), 1);
    } else {
      unsetenv(kVariable);
    }
  }
  UnderIsa(const UnderIsa&) = delete;
  UnderIsa& operator=(const UnderIsa&) = delete;

 private:
  static constexpr const char* kVariable = "UNMASK_ISA";
  std::optional<std::string> before_;
};

/// A CPU backend held to `isa`.
inline std::unique_ptr<Backend> create_cpu_backend_on(const std::string& isa,
                                                      const CpuOptions& options) {
  const UnderIsa held(isa);
  return create_cpu_backend(options);
}

inline std::string isa_test_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace unmask::testing
