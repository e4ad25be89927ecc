#include "kernels/cuda/plain_device.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/cuda/device.h"
#include "kernels/cuda/device_gather.h"
#include "kernels/cuda/products.h"
#include "kernels/cuda/reveal_work.h"

namespace unmask::cuda {

namespace {

/// One range of addresses for all devices. What is freed gives its pages back and is not handed out
/// again while a device lives, so that a late access is caught as well.
class Arena {
 public:
  static Arena& instance() {
    static Arena arena;
    return arena;
  }

  void* allocate(size_t bytes) {
    const std::lock_guard held(lock_);
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    std::byte* data = base_ + used_;
    used_ += (bytes + page - 1) / page * page + page;  // a page that nobody owns lies between
    UNMASK_CHECK(used_ <= kBytes, "the plain device is full");
    owned_.push_back({data, bytes});
    protect(open_ > 0);
    return data;
  }
  void free(void* data) {
    const std::lock_guard held(lock_);
    const auto found = std::find_if(owned_.begin(), owned_.end(),
                                    [&](std::span<std::byte> s) { return s.data() == data; });
    madvise(found->data(), found->size(), MADV_DONTNEED);
    owned_.erase(found);
    if (!owned_.empty()) return;
    protect(false);  // no device is left, so nobody may know an address
    used_ = 0;
  }
  void open(int change) {
    const std::lock_guard held(lock_);
    const bool was = open_ > 0;
    open_ += change;
    if (was != (open_ > 0)) protect(open_ > 0);
  }

 private:
  static constexpr size_t kBytes = size_t{4} << 30;

  Arena()
      : base_(static_cast<std::byte*>(
            mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    UNMASK_CHECK(base_ != MAP_FAILED, "address space for the plain device");
  }
  void protect(bool open) { mprotect(base_, used_, open ? PROT_READ | PROT_WRITE : PROT_NONE); }

  std::mutex lock_;  // devices may be those of several threads
  std::byte* base_;
  size_t used_ = 0;
  int open_ = 0;
  std::vector<std::span<std::byte>> owned_;
};

constexpr int kThreads = 64;  // of a row; the device takes more

template <typename Work>
concept Reduces = requires {
  typename Work::Part;
};

template <typename Work>
concept Gives = requires(const Work& work, const typename Work::Part& part) {
  work.value(part, 0, 0);
};

template <typename Work>
void run_row(const Work& work, int row) {
  std::array<typename Work::Part, kThreads> parts{};
  for (int thread = 0; thread < kThreads; ++thread) {
    for (int col = thread; col < work.cols; col += kThreads) {
      work.take(parts[static_cast<size_t>(thread)], row, col);
    }
  }
  for (size_t distance = kThreads / 2; distance > 0; distance /= 2) {
    for (size_t thread = 0; thread < distance; ++thread) {
      Work::merge(parts[thread], parts[thread + distance]);
    }
  }
  work.finish(parts[0], row);
  if constexpr (Gives<Work>) {
    for (int col = 0; col < work.cols; ++col) work.put(row, col, work.value(parts[0], row, col));
  }
}

struct PlainRecording final : Recording {
  void queue() override {
    for (const auto& step : steps) step();
  }
  std::vector<std::function<void()>> steps;
};

std::byte* row_of(const DeviceRows& rows, size_t r) {
  return static_cast<std::byte*>(rows.data) + r * rows.stride;
}

std::vector<float> widened(const Bf16* from, int rows, int cols, int64_t stride) {
  std::vector<float> to;
  for (int r = 0; r < rows; ++r, from += stride) {
    std::transform(from, from + cols, std::back_inserter(to), bf16_to_f32);
  }
  return to;
}

void multiply(const Product& p) {
  const PlainAccess access;
  const std::vector<float> x = widened(p.x, p.rows, p.depth, p.x_stride);
  const std::vector<float> weights = widened(p.weights, p.cols, p.depth, p.depth);
  for (int r = 0; r < p.rows; ++r) {
    for (int c = 0; c < p.cols; ++c) {
      std::array<float, kDepthMultiple> sums{};
      const float* a = x.data() + int64_t{r} * p.depth;
      const float* b = weights.data() + int64_t{c} * p.depth;
      for (int d = 0; d < p.depth; d += kDepthMultiple) {
        for (size_t i = 0; i < sums.size(); ++i)
          sums[i] += a[static_cast<size_t>(d) + i] * b[static_cast<size_t>(d) + i];
      }
      float sum = p.bias.data == nullptr ? 0 : p.bias(0, c);
      for (const float s : sums) sum += s;
      p.out.set(r, c, p.adds ? p.out(r, c) + sum : sum);
    }
  }
}

}  // namespace

PlainAccess::PlainAccess() { Arena::instance().open(1); }
PlainAccess::~PlainAccess() { Arena::instance().open(-1); }

Device::Device()
    : name_("plain"),
      traits_{.compute_capability = 90, .multiprocessors = 1},
      stream_(new CUstream_st) {}
Device::~Device() { delete stream_; }

std::unique_ptr<Recording> Device::record(const std::function<void()>& work) {
  auto recording = std::make_unique<PlainRecording>();
  stream_->recorded = &recording->steps;
  records_ = true;
  const auto end = [this](void*) {
    records_ = false;
    stream_->recorded = nullptr;
  };
  const std::unique_ptr<CUstream_st, decltype(end)> guard(stream_, end);
  work();
  return recording;
}

Buffer Device::allocate(size_t bytes) {
  UNMASK_CHECK(!records_, "recorded work allocates nothing");
  return {Arena::instance().allocate(bytes), bytes, [](void* p) { Arena::instance().free(p); }};
}

void Device::upload(const void* host, const DeviceRows& to) {
  UNMASK_CHECK(!records_, "recorded work copies nothing to the device");
  const PlainAccess access;
  for (size_t r = 0; r < to.rows; ++r) {
    std::memcpy(row_of(to, r), static_cast<const std::byte*>(host) + r * to.bytes, to.bytes);
  }
}

void Device::download(const DeviceRows& from, void* host) {
  UNMASK_CHECK(!records_, "recorded work copies nothing to the host");
  const PlainAccess access;
  for (size_t r = 0; r < from.rows; ++r) {
    std::memcpy(static_cast<std::byte*>(host) + r * from.bytes, row_of(from, r), from.bytes);
  }
}

template <typename Work>
void launch(const Work& work, Stream stream) {
  stream->add([work] {
    const PlainAccess access;
    for (int row = 0; row < work.rows; ++row) {
      if constexpr (Reduces<Work>) {
        run_row(work, row);
      } else {
        for (int col = 0; col < work.cols; ++col) work.put(row, col, work.value(row, col));
      }
    }
  });
}

// order matters: the list instantiates the definition above
#include "kernels/cuda/launches.inc"

struct Products::State {
  Device& device;
};
Products::Products(Device& device, bool /*tunes*/) : state_(new State{device}) {}
Products::~Products() = default;
std::string Products::name() const { return "plain"; }

void Products::run(const Product& p) {
  state_->device.stream()->add([p] { multiply(p); });
}

namespace {

/// Gathers as the host does.
class PlainRanks final : public Communicator {
 public:
  explicit PlainRanks(Communicator& host) : host_(host) {}
  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  void send(std::span<const std::byte> message) override { host_.send(message); }
  std::vector<std::byte> receive() override { return host_.receive(); }
  [[noreturn]] void give_up(const std::string& reason) override { throw Error(reason); }

 protected:
  void gather_at_once(const std::byte* mine, std::span<const int64_t> counts,
                      std::byte* all) override {
    const PlainAccess access;
    host_.gather(mine, counts, all);
  }

 private:
  Communicator& host_;
};

}  // namespace

std::unique_ptr<Communicator> create_device_ranks(Communicator& host, Device& /*device*/) {
  return std::make_unique<PlainRanks>(host);
}

}  // namespace unmask::cuda
