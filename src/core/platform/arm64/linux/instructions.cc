// What the kernel says of an ARM64 processor.
#include <asm/hwcap.h>
#include <sys/auxv.h>

#include "core/platform/processor.h"

namespace unmask {

ProcessorTraits detect_processor() {
  const unsigned long first = getauxval(AT_HWCAP);
  const unsigned long second = getauxval(AT_HWCAP2);
  return {.dotprod = (first & HWCAP_ASIMDDP) != 0,
          .i8mm = (second & HWCAP2_I8MM) != 0,
          .bf16_matrices = (second & HWCAP2_BF16) != 0};
}

}  // namespace unmask
