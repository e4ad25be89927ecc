// Ranks whose gathers go from device to device, over NCCL; everything else goes over those of the
// host.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/nccl_library.h"
#include "ranks/communicator.h"

namespace unmask::cuda {

/// What is gathered lies in device memory, and gathers are queued on the stream.
class NcclRanks final : public Communicator {
 public:
  /// All ranks make one at the same time. Throws Error on all of them where rank 0 gets no id; a
  /// rank that cannot join ends all (give_up()). `library` and `host` outlive this.
  NcclRanks(const NcclLibrary& library, Communicator& host, Stream stream);
  ~NcclRanks() override;

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  void send(std::span<const std::byte> message) override { host_.send(message); }
  std::vector<std::byte> receive() override { return host_.receive(); }
  [[noreturn]] void give_up(const std::string& reason) override;

 protected:
  void gather_at_once(const std::byte* mine, std::span<const int64_t> counts,
                      std::byte* all) override;

 private:
  /// Throws Error, after which nothing is waited for any more.
  void check(int result, const char* call);

  const NcclLibrary& library_;
  Communicator& host_;
  Stream stream_;
  ncclComm* comm_ = nullptr;
  bool failed_ = false;
};

/// Throws on all ranks where one has a `problem`; empty: it has none.
void agree_to_start(Communicator& host, const std::string& problem);

}  // namespace unmask::cuda
