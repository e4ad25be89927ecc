#include "model/finite.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <iterator>
#include <span>
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

/// Where the float16 scale and min of a block lie; -1: there is none.
struct ScalePlace {
  BlockFormat format;
  int d, m;
};
constexpr ScalePlace kScalePlaces[] = {
    {BlockFormat::q8_0, 0, -1},   {BlockFormat::q4_0, 0, -1},   {BlockFormat::q4_1, 0, 2},
    {BlockFormat::q5_0, 0, -1},   {BlockFormat::q5_1, 0, 2},    {BlockFormat::q2_k, 80, 82},
    {BlockFormat::q3_k, 108, -1}, {BlockFormat::q4_k, 0, 2},    {BlockFormat::q5_k, 0, 2},
    {BlockFormat::q6_k, 208, -1}, {BlockFormat::iq4_nl, 0, -1}, {BlockFormat::iq4_xs, 0, -1}};

bool is_finite_half(const std::byte* at) {
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return (bits & 0x7c00U) != 0x7c00U;
}

/// Codes are small whole numbers, so with finite float16 scales all values are finite.
bool has_finite_blocks(BlockFormat format, std::span<const std::byte> blocks) {
  const auto size = static_cast<size_t>(block_traits(format).bytes);
  if (format == BlockFormat::mxfp4) {
    constexpr auto kMostExponent = std::byte{252};  // 12 * 2^(252 - 128) is the largest below 2^128
    for (size_t i = 0; i < blocks.size(); i += size) {
      if (blocks[i] > kMostExponent) return false;
    }
    return true;
  }
  const auto* place = std::find_if(std::begin(kScalePlaces), std::end(kScalePlaces),
                                   [&](const ScalePlace& p) { return p.format == format; });
  UNMASK_CHECK(place != std::end(kScalePlaces), "a block format without a known scale");
  for (size_t i = 0; i < blocks.size(); i += size) {
    if (!is_finite_half(&blocks[i + static_cast<size_t>(place->d)])) return false;
    if (place->m >= 0 && !is_finite_half(&blocks[i + static_cast<size_t>(place->m)])) return false;
  }
  return true;
}

/// Stored values [begin, begin + count); whole blocks.
bool is_finite(const HostMatrix& matrix, size_t begin, size_t count) {
  const auto* bytes = static_cast<const std::byte*>(matrix.data);
  if (!matrix.blocks) {
    return is_finite(bytes + begin * dtype_bytes(matrix.dtype), matrix.dtype, count);
  }
  return has_finite_blocks(*matrix.blocks, {bytes + block_bytes(*matrix.blocks, begin),
                                            block_bytes(*matrix.blocks, count)});
}

std::vector<float> stored_values(const HostMatrix& matrix, size_t count) {
  std::vector<float> values(count);
  const auto* bytes = static_cast<const std::byte*>(matrix.data);
  if (matrix.blocks) {
    dequantize(*matrix.blocks, bytes, count, values.data());
  } else {
    to_f32(bytes, matrix.dtype, count, values.data());
  }
  return values;
}

[[noreturn]] void refuse(const TensorSpec& spec, const HostMatrix& matrix, size_t count) {
  const std::vector<float> values = stored_values(matrix, count);
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
  const int rows = spec.shape.size() == 1 ? 1 : matrix.out;  // a vector of n comes as [n, n]
  const auto count = static_cast<size_t>(rows) * static_cast<size_t>(matrix.in);
  std::atomic<bool> finite = true;
  pool.run(static_cast<int>((count + kTask - 1) / kTask), [&](int task, int) {
    const size_t begin = static_cast<size_t>(task) * kTask;
    const size_t n = std::min(kTask, count - begin);
    if (!is_finite(matrix, begin, n)) finite = false;
  });
  if (!finite) refuse(spec, matrix, count);
}

}  // namespace unmask
