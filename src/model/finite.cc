#include "model/finite.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

namespace unmask {

namespace {

constexpr size_t kChunk = 4096;  // values that are looked at together, while they are in the cache
constexpr size_t kTask = size_t{1} << 20;

/// Whether all bits of `exponent` are set in one of the values, which are float16, bfloat16 or
/// float32 with that mask.
template <typename Bits>
bool has_full_exponent(const std::byte* values, size_t count, Bits exponent) {
  Bits chunk[kChunk / sizeof(Bits)];
  for (size_t done = 0; done < count;) {
    const size_t n = std::min(count - done, std::size(chunk));
    std::memcpy(chunk, values + done * sizeof(Bits), n * sizeof(Bits));  // files are not aligned
    Bits found = 0;
    for (size_t i = 0; i < n; ++i) {
      found = static_cast<Bits>(found | ((chunk[i] & exponent) == exponent ? 1U : 0U));
    }
    if (found != 0) return true;
    done += n;
  }
  return false;
}

bool is_finite(const std::byte* values, DType dtype, size_t count) {
  switch (dtype) {
    case DType::bf16: return !has_full_exponent<uint16_t>(values, count, 0x7f80U);
    case DType::f16: return !has_full_exponent<uint16_t>(values, count, 0x7c00U);
    default: return !has_full_exponent<uint32_t>(values, count, 0x7f800000U);
  }
}

[[noreturn]] void refuse(const TensorSpec& spec, const HostMatrix& matrix, size_t count) {
  std::vector<float> values(count);
  to_f32(static_cast<const std::byte*>(matrix.data), matrix.dtype, count, values.data());
  const auto is_bad = [](float x) { return !std::isfinite(x); };
  const auto first = std::find_if(values.begin(), values.end(), is_bad);
  const std::string place = spec.layer < 0
                                ? std::string(role_name(spec.role))
                                : fmt::format("{} of layer {}", role_name(spec.role), spec.layer);
  fail(
      "[weights] {} ({}): {} of {} values are no finite numbers, the first, number {}, is {}; the "
      "file is damaged, or values overflowed when it was saved as float16: download it again, or "
      "save it as bfloat16 or float32",
      spec.name, place, std::count_if(values.begin(), values.end(), is_bad), count,
      first - values.begin(), *first);
}

}  // namespace

void check_finite(const TensorSpec& spec, const HostMatrix& matrix, ThreadPool& pool) {
  UNMASK_CHECK(matrix.is_dense(), "weights of a checkpoint lie close together");
  const auto* bytes = static_cast<const std::byte*>(matrix.data);
  size_t count = 1;
  for (const int64_t size : spec.shape) count *= static_cast<size_t>(size);
  std::atomic<bool> finite = true;
  pool.run(static_cast<int>((count + kTask - 1) / kTask), [&](int task, int) {
    const size_t begin = static_cast<size_t>(task) * kTask;
    const size_t n = std::min(kTask, count - begin);
    if (!is_finite(bytes + begin * dtype_bytes(matrix.dtype), matrix.dtype, n)) finite = false;
  });
  if (!finite) refuse(spec, matrix, count);
}

}  // namespace unmask
