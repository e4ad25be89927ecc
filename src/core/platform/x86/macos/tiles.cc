#include "core/platform/x86/tiles.h"

namespace unmask {

bool grant_tiles() { return false; }  // no Mac has them

}  // namespace unmask
