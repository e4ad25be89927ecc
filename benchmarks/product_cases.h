// Products as benchmarks: each kind over the shapes of real layers and several numbers of rows.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cpu/products.h"

namespace unmask::benchmarks {

/// One way to multiply.
struct Kind {
  std::string name;
  /// Null, or an Error, where this processor has no such products.
  std::function<std::unique_ptr<cpu::Products>(const cpu::KernelTable& table, ThreadPool& pool)>
      create;
  double (*peak)(int threads);
  std::optional<BlockFormat> blocks{};  // of the weights; none: numbers
};

/// Registers the cases of all kinds and runs those that the command line asks for; what main()
/// returns.
int run_products(int argc, char** argv, const std::vector<Kind>& kinds);

}  // namespace unmask::benchmarks
