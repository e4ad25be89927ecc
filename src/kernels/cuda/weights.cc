#include "kernels/cuda/weights.h"

#include <algorithm>

#include "kernels/cuda/cell_work.h"
#include "kernels/cuda/products.h"

namespace unmask::cuda {

namespace {

// Of converted weights on the host at a time: a copy takes 0.3 ms at the 50 GB/s of PCIe 5, far
// more than its start.
constexpr size_t kSlabBytes = size_t{16} << 20;

int padded(int depth) { return (depth + kDepthMultiple - 1) / kDepthMultiple * kDepthMultiple; }

size_t elements(const HostMatrix& m) {
  return static_cast<size_t>(m.out) * static_cast<size_t>(m.in);
}

/// Converts a matrix, row by row, slab by slab, into rows of `depth` elements on the device.
template <typename T, typename Convert>
void upload_converted(Device& device, const HostMatrix& from, int depth, void* to,
                      const Convert& convert) {
  const size_t to_bytes = static_cast<size_t>(depth) * sizeof(T);
  const auto slab_rows = static_cast<int>(std::max<size_t>(1, kSlabBytes / to_bytes));
  std::vector<T> slab(static_cast<size_t>(std::min(slab_rows, from.out)) *
                      static_cast<size_t>(depth));
  for (int first = 0; first < from.out; first += slab_rows) {
    const int rows = std::min(slab_rows, from.out - first);
    for (int r = 0; r < rows; ++r) {
      convert(first + r, slab.data() + static_cast<size_t>(r) * static_cast<size_t>(depth));
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
    if (m.format.value_or(WeightType::bf16) != WeightType::bf16) {
      fail(ErrorCode::device_type, "[cuda] weights: found {}, expected bf16, the one type there is",
           weight_type_name(*m.format));
    }
    total += static_cast<size_t>(m.out) * static_cast<size_t>(depth);
  }
  const auto memory = std::make_shared<Buffer>(device.allocate(total * sizeof(Bf16)));
  auto* values = static_cast<Bf16*>(memory->data());
  std::vector<std::unique_ptr<PackedMatrix>> packed;
  for (const HostMatrix& m : weights) {
    std::unique_ptr<DeviceMatrix> matrix(new DeviceMatrix(m, depth, memory, values));
    if (m.is_plain(DType::bf16) && depth == m.in) {
      device.upload(m.data, dense(values, matrix->size()));
    } else {
      upload_converted<Bf16>(device, m, depth, values,
                             [&](int row, Bf16* to) { m.narrow_row(row, to); });
    }
    values += matrix->size();
    packed.push_back(std::move(matrix));
  }
  return packed;
}

size_t count_joined(std::span<const LinearMap> maps) {
  const auto matrix = [&](size_t i) -> const DeviceMatrix& { return matrix_of(maps[i].weights); };
  size_t count = 1;
  while (count < std::min<size_t>(maps.size(), Split::kParts) && maps[0].into == Into::store &&
         maps[count].into == Into::store && matrix(count).follows(matrix(count - 1))) {
    ++count;
  }
  const bool gated = count == 1 && maps.size() > 1 && maps[0].into == Into::store &&
                     maps[1].into == Into::gate && maps[1].out.data == maps[0].out.data &&
                     !maps[0].bias && !maps[1].bias && matrix(1).follows(matrix(0));
  return gated ? 2 : count;
}

View DeviceTable::rows(const HostMatrix& table) {
  const bool narrow = !table.blocks && table.dtype == DType::bf16;
  if (values_.data() == nullptr || source_ != table) {
    values_ = {};  // free first: both at once would double the peak
    Buffer values = device_.allocate(elements(table) * (narrow ? sizeof(Bf16) : sizeof(float)));
    if (table.is_plain(DType::bf16)) {
      device_.upload(table.data, dense(static_cast<Bf16*>(values.data()), elements(table)));
    } else if (narrow) {
      upload_converted<Bf16>(device_, table, table.in, values.data(),
                             [&](int row, Bf16* to) { table.narrow_row(row, to); });
    } else {
      upload_converted<float>(device_, table, table.in, values.data(),
                              [&](int row, float* to) { table.widen_row(row, to); });
    }
    values_ = std::move(values);
    source_ = table;
  }
  return {values_.data(), table.in, narrow};
}

}  // namespace unmask::cuda
