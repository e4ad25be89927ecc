// NCCL, loaded when ranks with devices are asked for: nothing else needs it, and it may be missing.
// The few declarations are our own, so that its header is needed nowhere.
#pragma once

#include <cstddef>

#include "kernels/cuda/types.h"

struct ncclComm;  // NOLINT(readability-identifier-naming)

namespace unmask::cuda {

/// ncclUniqueId.
struct NcclId {
  char bytes[128];
};

/// Some values of ncclResult_t and ncclDataType_t, which are ints.
inline constexpr int kNcclSuccess = 0;
inline constexpr int kNcclInProgress = 7;
inline constexpr int kNcclBytes = 1;  // ncclUint8

struct NcclLibrary {
  int (*get_unique_id)(NcclId* id);
  int (*comm_init_rank)(ncclComm** comm, int ranks, NcclId id, int rank);
  int (*comm_get_async_error)(ncclComm* comm, int* error);
  int (*comm_abort)(ncclComm* comm);
  int (*comm_destroy)(ncclComm* comm);
  const char* (*get_error_string)(int result);
  int (*group_start)();
  int (*group_end)();
  /// Every rank gives `count` elements, and gets those of all.
  int (*all_gather)(const void* mine, void* all, size_t count, int type, ncclComm* comm, Stream);
  /// `count` elements of rank `root` for all.
  int (*broadcast)(const void* mine, void* all, size_t count, int type, int root, ncclComm* comm,
                   Stream);
};

/// Throws Error where the system has no NCCL 2.
const NcclLibrary& nccl();

}  // namespace unmask::cuda
