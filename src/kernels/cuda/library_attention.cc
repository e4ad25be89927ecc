#include "kernels/cuda/library_attention.h"

#ifdef UNMASK_CUDNN
#include <map>
#include <tuple>

#include "kernels/cuda/cudnn_attention.h"
#endif

namespace unmask::cuda {

namespace {

#ifdef UNMASK_CUDNN
/// Plans by shape: making one takes longer than running it.
class CudnnPlans final : public LibraryAttention {
 public:
  explicit CudnnPlans(Device& device) : device_(device) {}

  void run(const DeviceAttention& t) override {
    const Shape shape{t.rows,     t.keys,     t.n_heads,  t.n_kv_heads, t.head_dim,
                      t.q_stride, t.k_stride, t.v_stride, t.out_stride};
    auto found = plans_.find(shape);
    if (found == plans_.end()) {
      if (plans_.size() == kMost) plans_.clear();
      found = plans_.emplace(shape, std::make_unique<CudnnAttention>(device_, t)).first;
    }
    found->second->queue(t);
  }

 private:
  static constexpr size_t kMost = 32;
  using Shape = std::tuple<int, int, int, int, int, int64_t, int64_t, int64_t, int64_t>;

  Device& device_;
  std::map<Shape, std::unique_ptr<CudnnAttention>> plans_;
};
#else
class WithoutLibrary final : public LibraryAttention {
 public:
  void run(const DeviceAttention& /*task*/) override {
    fail("[cudnn] full attention: this plug-in was built without cuDNN's headers");
  }
};
#endif

}  // namespace

std::unique_ptr<LibraryAttention> create_library_attention([[maybe_unused]] Device& device) {
#ifdef UNMASK_CUDNN
  return std::make_unique<CudnnPlans>(device);
#else
  return std::make_unique<WithoutLibrary>();
#endif
}

}  // namespace unmask::cuda
