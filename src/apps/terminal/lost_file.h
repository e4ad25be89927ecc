// Weights are read from files that are mapped into memory. When one gets shorter meanwhile, or its
// disk fails, the next read of a page raises SIGBUS: no call fails that could throw.
#pragma once

namespace unmask {

/// From now on SIGBUS inside a mapped file ends the process with one line that names the file, and
/// the exit status 1. Any other one ends it as before.
void install_lost_file_handler();

}  // namespace unmask
