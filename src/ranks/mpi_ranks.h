// Ranks that are processes started by mpirun or srun.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ranks/communicator.h"

namespace unmask {

struct MpiOptions {
  /// Called before give_up() ends all processes, this one included.
  std::function<void(const std::string& reason)> last_words{};
  /// The plug-in's file; empty: libunmask_mpi.so beside the program, or in the system's path.
  std::string plugin{};
};

/// This process among those that were started together; alone it is one of one. Once a process.
/// MPI is reached through a plug-in, so that the program needs none. Throws Error where there is no
/// plug-in, where it belongs to another build, and where MPI does not start.
std::unique_ptr<Communicator> create_mpi_ranks(const MpiOptions& options);

}  // namespace unmask
