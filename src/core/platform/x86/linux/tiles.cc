#include "core/platform/x86/tiles.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace unmask {

bool grant_tiles() {
  // <asm/prctl.h> of Debian 12 has the names; older systems answer EINVAL.
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

}  // namespace unmask
