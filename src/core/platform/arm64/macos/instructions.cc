// What macOS says of an Apple processor.
#include <sys/sysctl.h>

#include "core/platform/processor.h"

namespace unmask {

namespace {

/// A name that the system does not know is an instruction that the processor does not have.
bool has(const char* feature) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}

}  // namespace

ProcessorTraits detect_processor() {
  return {.dotprod = has("hw.optional.arm.FEAT_DotProd"),
          .i8mm = has("hw.optional.arm.FEAT_I8MM"),
          .bf16_matrices = has("hw.optional.arm.FEAT_BF16")};
}

}  // namespace unmask
