#pragma once

namespace unmask {

/// Asks the system to let this process use AMX's tiles; false where it does not, or has no such
/// question. Threads that run already may use them, too.
bool grant_tiles();

}  // namespace unmask
