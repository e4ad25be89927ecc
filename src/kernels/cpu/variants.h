// The kernels of this build: what each set needs of the processor, and the choice among them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/platform/processor.h"
#include "kernels/cpu/table.h"

namespace unmask::cpu {

/// Kernels compiled for one set of instructions.
struct KernelVariant {
  std::string_view name;
  ProcessorTraits needs;
  const KernelTable& (*table)();

  bool runs_on(const ProcessorTraits& processor) const {
    return missing_traits(processor, needs).empty();
  }
};

/// What the sets of this kind of processor need, the best first; of all, built or not.
struct KernelNeeds {
  std::string_view name;
  ProcessorTraits needs;
};
std::span<const KernelNeeds> kernel_needs();

/// The sets of this build (UNMASK_KERNELS), in no order; src/kernels/CMakeLists.txt writes them.
struct BuiltTable {
  std::string_view name;
  const KernelTable& (*table)();
};
std::span<const BuiltTable> built_tables();

/// Those of this build, the best first.
const std::vector<KernelVariant>& kernel_variants();

/// The one of that name, or the best that `processor` can run where `name` is empty. Throws Error
/// for an unknown name and for one that needs what the processor lacks.
const KernelVariant& select_variant(std::string_view name,
                                    const ProcessorTraits& processor = detect_processor());

}  // namespace unmask::cpu
