#include "kernels/cuda/transfer.h"

#include <vector>

namespace unmask::cuda {

namespace {

DeviceRows rows_of(Tensor t) {
  const size_t size = dtype_bytes(t.dtype);
  return {t.data, static_cast<size_t>(t.stride) * size, static_cast<size_t>(t.cols) * size,
          static_cast<size_t>(t.rows)};
}

std::vector<Bf16> narrow_values(Tensor t) {
  return std::vector<Bf16>(static_cast<size_t>(t.rows) * static_cast<size_t>(t.cols));
}

}  // namespace

void upload(Device& device, const float* host, Tensor out) {
  if (out.dtype == DType::f32) return device.upload(host, rows_of(out));
  std::vector<Bf16> rounded = narrow_values(out);
  to_bf16(host, DType::f32, rounded.size(), rounded.data());
  device.upload(rounded.data(), rows_of(out));
}

void download(Device& device, Tensor from, float* host) {
  if (from.dtype == DType::f32) return device.download(rows_of(from), host);
  std::vector<Bf16> narrow = narrow_values(from);
  device.download(rows_of(from), narrow.data());
  to_f32(narrow.data(), DType::bf16, narrow.size(), host);
}

}  // namespace unmask::cuda
