// CUDA backends as ranks, each with a device of host memory, and their gathers over NCCL, which is
// played by the ranks of threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/nccl_ranks.h"
#include "kernels/ranks/output_split.h"
#include "support/device_tensor.h"
#include "support/error_of.h"
#include "support/led_model.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::DeviceTensor;
using ::testing::HasSubstr;
using testing::RandomTensor;
using ::testing::StartsWith;
using testing::ThreadRanks;

std::unique_ptr<Backend> device_of(Communicator& own) {
  auto backend = cuda::create_backend({.threads = 1, .ranks = &own});
  Backend* const inner = backend.get();
  return create_output_split(
      std::move(backend), own,
      [inner](std::span<const CutColumns> matrices) { cuda::gather_columns(*inner, matrices); });
}

/// Every rank must get what one device gets that is alone.
void expect_same_on_devices(
    const std::function<std::vector<std::vector<float>>(Backend&)>& compute) {
  const auto expected = compute(*cuda::create_backend({.threads = 1}));
  for (const int n : {1, 2, 3, 5}) {
    ThreadRanks ranks(n);
    ranks.each([&](Communicator& own) {
      EXPECT_EQ(compute(*device_of(own)), expected) << "rank " << own.rank() << " of " << n;
    });
  }
}

TEST(DeviceRanks, ProductsHaveTheBitsOfOneDevice) {
  struct Shape {
    int rows, in, out;
  };
  for (const Shape& s : {Shape{3, 40, 6}, {7, 64, 200}, {300, 32, 400}}) {
    std::mt19937 random(21);
    const RandomTensor x(random, s.rows, s.in, 8);
    const RandomTensor before(random, s.rows, s.out);
    const RandomTensor bias(random, 1, s.out);
    const RandomTensor narrow(random, 3, s.in);
    const std::vector<RandomTensor> weights(3, RandomTensor(random, s.out, s.in));
    expect_same_on_devices([&](Backend& backend) {
      const HostMatrix matrices[] = {weights[0].matrix(), weights[1].matrix(), weights[2].matrix(),
                                     narrow.matrix()};
      const auto packed = backend.pack_together(matrices);
      const DeviceTensor input(backend, x.view(), DType::bf16);
      const DeviceTensor offset(backend, bias.view());
      const DeviceTensor gated(backend, before.view(), DType::bf16);
      const DeviceTensor sum(backend, before.view());
      const DeviceTensor biased(backend, before.view(), DType::bf16);
      const DeviceTensor small(backend, RandomTensor(random, s.rows, 3).view());
      const LinearMap maps[] = {{packed[0].get(), gated.view()},
                                {packed[1].get(), gated.view(), {}, Into::gate},
                                {packed[2].get(), sum.view(), {}, Into::add},
                                {packed[0].get(), biased.view(), offset.view()},
                                {packed[3].get(), small.view()}};
      backend.linear(input.view(), maps);
      return std::vector{gated.values(), sum.values(), biased.values(), small.values()};
    });
  }
}

TEST(DeviceRanks, RanksKeepTheirShareOfTheBytes) {
  std::mt19937 random(22);
  const RandomTensor weights(random, 512, 64);
  ThreadRanks ranks(4);
  ranks.each([&](Communicator& own) {
    EXPECT_EQ(device_of(own)->pack(weights.matrix())->bytes(), 512 * 64 * 2 / 4);
  });
}

TEST(DeviceRanks, ModelsGenerateWhatOneDeviceGenerates) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    testing::LoadedModel alone(testing::checkpoint(name), cuda::create_backend({.threads = 1}));
    std::vector<Request> requests;
    for (const std::string method :
         {"full", "fast-dllm:cache=dual", "dllm-cache", "sparsed:skip=0.2,select=0.5,block=8"}) {
      requests.push_back(testing::method_request(alone, method, 13, 16, 8, 16));
    }
    const auto expected = testing::generated(alone, requests);
    const testing::Led led{
        .name = name, .joint = {.verifies = name == "llada-tiny"}, .create = device_of};
    led.on(3, [&](testing::LoadedModel& model) {
      EXPECT_EQ(testing::generated(model, requests), expected) << name;
    });
  }
}

TEST(DeviceRanks, ExpertsAreRefused) {
  ThreadRanks ranks(2);
  ranks.each([&](Communicator& own) {
    const auto backend = device_of(own);
    EXPECT_THAT(testing::error_of([&] { backend->experts({}, {}, {}, Into::store); }),
                HasSubstr("expected a dense one"));
  });
}

TEST(DeviceRanks, ADeviceThatIsMissingIsToldToAll) {
  ThreadRanks ranks(3);
  ranks.each([&](Communicator& own) {
    const std::string problem = own.rank() == 1 ? "[cuda] no CUDA device" : "";
    EXPECT_EQ(testing::error_of([&] { cuda::agree_to_start(own, problem); }),
              "[ranks] rank 1 of 3: [cuda] no CUDA device");
  });
}

/// NCCL by the host's ranks: what one thread calls goes to `own`.
struct PlayedNccl {
  static inline thread_local Communicator* own = nullptr;
  static inline thread_local int grouped = 0;  // groups that are open
  static inline thread_local int alone = 0;    // broadcasts outside of a group
  static inline thread_local int ended = 0;    // 1: destroyed, 2: aborted
  static inline thread_local int later = 0;    // the error that shows up later
  static inline thread_local int joins = 0;    // what joining returns
  static inline int id_result = 0;

  static int get_unique_id(cuda::NcclId* id) {
    std::fill_n(id->bytes, sizeof id->bytes, 'i');
    return id_result;
  }
  static int comm_init_rank(ncclComm** comm, int ranks, cuda::NcclId id, int rank) {
    EXPECT_EQ(id.bytes[127], 'i');
    EXPECT_EQ(ranks, own->size());
    EXPECT_EQ(rank, own->rank());
    *comm = reinterpret_cast<ncclComm*>(own);
    return joins;
  }
  static int comm_get_async_error(ncclComm* /*comm*/, int* error) {
    *error = later;
    return 0;
  }
  static int comm_abort(ncclComm* /*comm*/) {
    ended = 2;
    return 0;
  }
  static int comm_destroy(ncclComm* /*comm*/) {
    ended = 1;
    return 0;
  }
  static const char* get_error_string(int /*result*/) { return "played"; }
  static int group_start() { return ++grouped * 0; }
  static int group_end() { return --grouped * 0; }
  static int all_gather(const void* mine, void* all, size_t count, int type, ncclComm* comm,
                        cuda::Stream /*stream*/) {
    EXPECT_EQ(type, cuda::kNcclBytes);
    EXPECT_EQ(comm, reinterpret_cast<ncclComm*>(own));
    const std::vector<int64_t> counts(static_cast<size_t>(own->size()),
                                      static_cast<int64_t>(count));
    own->gather(static_cast<const std::byte*>(mine), counts, static_cast<std::byte*>(all));
    return 0;
  }
  static int broadcast(const void* mine, void* all, size_t count, int /*type*/, int root,
                       ncclComm* /*comm*/, cuda::Stream /*stream*/) {
    if (grouped == 0) ++alone;
    std::vector<int64_t> counts(static_cast<size_t>(own->size()));
    counts[static_cast<size_t>(root)] = static_cast<int64_t>(count);
    own->gather(static_cast<const std::byte*>(mine), counts, static_cast<std::byte*>(all));
    return 0;
  }
};

constexpr cuda::NcclLibrary kPlayed{PlayedNccl::get_unique_id,        PlayedNccl::comm_init_rank,
                                    PlayedNccl::comm_get_async_error, PlayedNccl::comm_abort,
                                    PlayedNccl::comm_destroy,         PlayedNccl::get_error_string,
                                    PlayedNccl::group_start,          PlayedNccl::group_end,
                                    PlayedNccl::all_gather,           PlayedNccl::broadcast};

/// Calls use(make) on three ranks; make() joins them.
void on_played(
    const std::function<void(Communicator&, const std::function<cuda::NcclRanks()>&)>& use) {
  ThreadRanks ranks(3);
  ranks.each([&](Communicator& own) {
    PlayedNccl::own = &own;
    use(own, [&] { return cuda::NcclRanks(kPlayed, own, nullptr); });
  });
}

TEST(NcclRanks, GatherEqualAndUnequalCountsFromElsewhereAndInPlace) {
  on_played([](Communicator& own, const auto& make) {
    {
      cuda::NcclRanks ranks = make();
      const int rank = own.rank();
      for (const std::vector<int64_t>& counts :
           {std::vector<int64_t>{4, 4, 4}, {2, 0, 5}, {0, 0, 0}, {0, 7, 1}}) {
        std::vector<std::byte> expected;
        for (size_t r = 0; r < 3; ++r) {
          expected.insert(expected.end(), static_cast<size_t>(counts[r]), std::byte(r + 1));
        }
        const std::vector<std::byte> mine(8, std::byte(rank + 1));
        std::vector<std::byte> all(expected.size());
        ranks.gather(mine.data(), counts, all.data());
        EXPECT_EQ(all, expected);
        std::fill(all.begin(), all.end(), std::byte{});
        size_t place = 0;
        for (int r = 0; r < rank; ++r) place += static_cast<size_t>(counts[static_cast<size_t>(r)]);
        std::fill_n(all.data() + place, counts[static_cast<size_t>(rank)], std::byte(rank + 1));
        ranks.gather(nullptr, counts, all.data());
        EXPECT_EQ(all, expected);
      }
      EXPECT_EQ(PlayedNccl::alone, 0);  // outside of a group they would wait for each other
      EXPECT_EQ(PlayedNccl::grouped, 0);
    }
    EXPECT_EQ(PlayedNccl::ended, 1);
  });
}

TEST(NcclRanks, AnErrorThatShowsUpLaterEndsThem) {
  on_played([](Communicator& own, const auto& make) {
    {
      cuda::NcclRanks ranks = make();
      PlayedNccl::later = 3;
      const std::vector<int64_t> counts(3, 1);
      std::byte all[3];
      EXPECT_EQ(
          testing::error_of([&] { ranks.gather(nullptr, counts, all); }),
          fmt::format("[nccl] an earlier gather on rank {} of 3: played; NCCL_DEBUG=INFO tells "
                      "more",
                      own.rank()));
    }
    EXPECT_EQ(PlayedNccl::ended, 2);
  });
}

TEST(NcclRanks, WithoutAnIdNoneBegins) {
  PlayedNccl::id_result = 2;
  on_played([](Communicator&, const auto& make) {
    EXPECT_THAT(testing::error_of([&] { make(); }),
                StartsWith("[nccl] ncclGetUniqueId on rank 0: "));
  });
  PlayedNccl::id_result = 0;
}

TEST(NcclRanks, ARankThatCannotJoinEndsAll) {
  on_played([](Communicator& own, const auto& make) {
    if (own.rank() == 1) PlayedNccl::joins = 5;
    EXPECT_THAT(testing::error_of([&] {
                  cuda::NcclRanks ranks = make();
                  own.receive();
                }),
                StartsWith("[nccl] ncclCommInitRank on rank 1 of 3: played; give every process"));
  });
}

TEST(NcclLibrary, IsFoundOrSaysWhatToDo) {
  const std::string error = testing::error_of(
      [] { EXPECT_STREQ(cuda::nccl().get_error_string(cuda::kNcclSuccess), "no error"); });
  if (error == "no error") return;
  EXPECT_THAT(error, StartsWith("[nccl] libnccl.so.2"));
  EXPECT_THAT(error, HasSubstr("install NCCL 2 where the loader finds it"));
}

}  // namespace
}  // namespace unmask
