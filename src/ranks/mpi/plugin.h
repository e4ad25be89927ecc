// The border between the program and the MPI plug-in, a library loaded at run time. It exports two
// symbols of C.
#pragma once

namespace unmask {

class Communicator;
struct MpiOptions;

inline constexpr const char* kMpiPluginFile = "libunmask_mpi.so";

/// const char[]: UNMASK_INTERFACE, see core/plugin.h.
inline constexpr const char* kMpiInterface = "unmask_mpi_interface";

/// What a call across the border is given and what it says: no exception crosses a border of C.
struct MpiCall {
  const MpiOptions* options = nullptr;
  char error[512] = "";  // empty: none
};

/// MpiEntry: this process's communicator, owned by the caller; null with an error where there is
/// none.
inline constexpr const char* kMpiEntry = "unmask_mpi_create_ranks";
using MpiEntry = Communicator* (*)(MpiCall*);

}  // namespace unmask
