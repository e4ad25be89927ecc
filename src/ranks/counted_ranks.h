// One of several ranks that are only planned: what it would receive is counted (traffic()).
#pragma once

#include "core/error.h"
#include "ranks/communicator.h"

namespace unmask {

class CountedRanks final : public Communicator {
 public:
  CountedRanks(int rank, int size) : rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void send(std::span<const std::byte> /*message*/) override {}
  std::vector<std::byte> receive() override { fail("[ranks] planned ranks send no messages"); }
  [[noreturn]] void give_up(const std::string& reason) override { throw Error(reason); }

 protected:
  void gather_at_once(const std::byte* /*mine*/, std::span<const int64_t> /*counts*/,
                      std::byte* /*all*/) override {}
  void exchange_all(const std::byte* /*mine*/, std::span<const int64_t> /*to*/, std::byte* /*all*/,
                    std::span<const int64_t> /*from*/) override {}

 private:
  int rank_;
  int size_;
};

}  // namespace unmask
