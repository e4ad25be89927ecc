#include "kernels/cuda/nccl_ranks.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace unmask::cuda {

namespace {

/// That of rank 0, which it gets from the library.
NcclId shared_id(const NcclLibrary& library, Communicator& host) {
  NcclId id{};
  std::string mine;
  int result = kNcclSuccess;
  if (host.leads()) {
    result = library.get_unique_id(&id);
    if (result == kNcclSuccess) mine.assign(id.bytes, sizeof id.bytes);
  }
  const std::string given = gather_texts(host, mine).front();  // all are here, whatever happened
  if (given.size() != sizeof id.bytes) {
    fail(ErrorCode::device, "[nccl] ncclGetUniqueId on rank 0: {}",
         host.leads() ? library.get_error_string(result) : "failed");
  }
  std::memcpy(id.bytes, given.data(), sizeof id.bytes);
  return id;
}

}  // namespace

NcclRanks::NcclRanks(const NcclLibrary& library, Communicator& host, Stream stream)
    : Communicator(std::numeric_limits<int64_t>::max()),  // counts of NCCL are size_t
      library_(library),
      host_(host),
      stream_(stream) {
  const NcclId id = shared_id(library, host);
  const int result = library.comm_init_rank(&comm_, host.size(), id, host.rank());
  if (result == kNcclSuccess) return;
  host.give_up(fmt::format(
      "[nccl] ncclCommInitRank on rank {} of {}: {}; give every process a device of its own "
      "(CUDA_VISIBLE_DEVICES); NCCL_DEBUG=INFO tells more",
      host.rank(), host.size(), library.get_error_string(result)));
}

NcclRanks::~NcclRanks() {
  if (comm_ != nullptr) (failed_ ? library_.comm_abort : library_.comm_destroy)(comm_);
}

void NcclRanks::give_up(const std::string& reason) {
  host_.give_up(reason);
  throw Error(reason);  // for the compiler: the host's does not return
}

void NcclRanks::check(int result, const char* call) {
  if (result == kNcclSuccess || result == kNcclInProgress) return;
  failed_ = true;
  fail(ErrorCode::device, "[nccl] {} on rank {} of {}: {}; NCCL_DEBUG=INFO tells more", call,
       rank(), size(), library_.get_error_string(result));
}

void NcclRanks::gather_at_once(const std::byte* mine, std::span<const int64_t> counts,
                               std::byte* all) {
  int earlier = kNcclSuccess;  // what went wrong since the last call
  check(library_.comm_get_async_error(comm_, &earlier), "ncclCommGetAsyncError");
  check(earlier, "an earlier gather");
  std::byte* place = all;
  for (int r = 0; r < rank(); ++r) place += counts[static_cast<size_t>(r)];
  if (mine == nullptr) mine = place;
  const auto bytes = [&](size_t r) { return static_cast<size_t>(counts[r]); };
  if (std::all_of(counts.begin(), counts.end(), [&](int64_t n) { return n == counts[0]; })) {
    if (counts[0] == 0) return;
    return check(library_.all_gather(mine, all, bytes(0), kNcclBytes, comm_, stream_),
                 "ncclAllGather");
  }
  check(library_.group_start(), "ncclGroupStart");
  for (size_t r = 0; r < counts.size(); ++r) {
    if (counts[r] == 0) continue;
    const auto root = static_cast<int>(r);
    check(library_.broadcast(root == rank() ? mine : all, all, bytes(r), kNcclBytes, root, comm_,
                             stream_),
          "ncclBroadcast");
    all += counts[r];
  }
  check(library_.group_end(), "ncclGroupEnd");
}

void agree_to_start(Communicator& host, const std::string& problem) {
  const std::vector<std::string> problems = gather_texts(host, problem);
  for (size_t r = 0; r < problems.size(); ++r) {
    if (problems[r].empty()) continue;
    fail(ErrorCode::device, "[ranks] rank {} of {}: {}", r, problems.size(), problems[r]);
  }
}

}  // namespace unmask::cuda
