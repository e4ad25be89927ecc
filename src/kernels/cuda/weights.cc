#include "kernels/cuda/weights.h"

#include <algorithm>

#include "kernels/cuda/products.h"

namespace unmask::cuda {

namespace {

constexpr size_t kSlabBytes = size_t{16} << 20;  // of converted weights on the host at a time

int padded(int depth) { return (depth + kDepthMultiple - 1) / kDepthMultiple * kDepthMultiple; }

size_t elements(const HostMatrix& m) {
  return static_cast<size_t>(m.out) * static_cast<size_t>(m.in);
}

/// Converts a matrix slab by slab into rows of `depth` elements on the device.
template <typename T, typename Convert>
void upload_converted(Device& device, const HostMatrix& from, int depth, void* to,
                      const Convert& convert) {
  const size_t from_bytes = static_cast<size_t>(from.in) * dtype_bytes(from.dtype);
  const size_t to_bytes = static_cast<size_t>(depth) * sizeof(T);
  const auto slab_rows = static_cast<int>(std::max<size_t>(1, kSlabBytes / to_bytes));
  std::vector<T> slab(static_cast<size_t>(std::min(slab_rows, from.out)) *
                      static_cast<size_t>(depth));
  for (int first = 0; first < from.out; first += slab_rows) {
    const int rows = std::min(slab_rows, from.out - first);
    for (int r = 0; r < rows; ++r) {
      convert(
          static_cast<const std::byte*>(from.data) + static_cast<size_t>(first + r) * from_bytes,
          slab.data() + static_cast<size_t>(r) * static_cast<size_t>(depth));
    }
    const size_t bytes = static_cast<size_t>(rows) * to_bytes;
    device.upload(slab.data(), {static_cast<std::byte*>(to) + static_cast<size_t>(first) * to_bytes,
                                bytes, bytes, 1});
  }
}

}  // namespace

std::vector<std::unique_ptr<PackedMatrix>> DeviceMatrix::pack(Device& device,
                                                              std::span<const HostMatrix> weights) {
  const int depth = padded(weights[0].in);
  size_t total = 0;
  for (const HostMatrix& m : weights) {
    UNMASK_CHECK(m.in == weights[0].in, "matrices that are packed together read one input");
    total += static_cast<size_t>(m.out) * static_cast<size_t>(depth);
  }
  const auto memory = std::make_shared<Buffer>(device.allocate(total * sizeof(Bf16)));
  auto* values = static_cast<Bf16*>(memory->data());
  std::vector<std::unique_ptr<PackedMatrix>> packed;
  for (const HostMatrix& m : weights) {
    std::unique_ptr<DeviceMatrix> matrix(new DeviceMatrix(m, depth, memory, values));
    if (m.dtype == DType::bf16 && depth == m.in) {
      device.upload(m.data, dense(values, matrix->size()));
    } else {
      upload_converted<Bf16>(device, m, depth, values, [&](const std::byte* from, Bf16* to) {
        to_bf16(from, m.dtype, static_cast<size_t>(m.in), to);
      });
    }
    values += matrix->size();
    packed.push_back(std::move(matrix));
  }
  return packed;
}

View DeviceTable::rows(const HostMatrix& table) {
  const bool narrow = table.dtype == DType::bf16;
  const bool known = values_.data() != nullptr && source_.data == table.data &&
                     source_.dtype == table.dtype && source_.out == table.out &&
                     source_.in == table.in;
  if (!known) {
    values_ = {};  // free first: both at once would double the peak
    Buffer values = device_.allocate(elements(table) * (narrow ? sizeof(Bf16) : sizeof(float)));
    if (narrow) {
      device_.upload(table.data, {values.data(), values.bytes(), values.bytes(), 1});
    } else {
      upload_converted<float>(device_, table, table.in, values.data(),
                              [&](const std::byte* from, float* to) {
                                to_f32(from, table.dtype, static_cast<size_t>(table.in), to);
                              });
    }
    values_ = std::move(values);
    source_ = table;
  }
  return {values_.data(), table.in, narrow};
}

}  // namespace unmask::cuda
