#include "model/adaptation.h"

#include <algorithm>

#include "io/tensor_names.h"
#include "kernels/panels.h"

namespace unmask {

namespace {

constexpr int kRows = 4;        // whose sums share what is read of A
constexpr int kColumns = 1024;  // whose sums stay in the cache
constexpr int kRowsPerTask = 32;

std::vector<float> floats_of(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  to_f32(tensor.bytes.data(), tensor.element_type(), values.size(), values.data());
  return values;
}

/// [rows, cols] to [cols, rows].
std::vector<float> transposed(const std::vector<float>& from, size_t rows, size_t cols) {
  std::vector<float> to(from.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) to[c * rows + r] = from[r * cols + c];
  }
  return to;
}

/// The factors of a change: left [out, rank] times right [rank, in].
struct Product {
  std::vector<float> left, right;
  int rank;
  int in;

  explicit Product(const LoraPair& pair) : rank(static_cast<int>(pair.rank())) {
    left = floats_of(*pair.b);
    right = floats_of(*pair.a);
    in = static_cast<int>(pair.a->shape[1]);
    if (!pair.transposed) return;
    const auto r = static_cast<size_t>(rank);
    std::swap(left, right);
    in = static_cast<int>(pair.b->shape[0]);
    right = transposed(right, static_cast<size_t>(in), r);
    left = transposed(left, r, left.size() / r);
  }

  /// Adds scale times the product to the rows `out` of w [out, in].
  void add(Range out, float scale, float* w) const {
    for (int o = out.begin; o < out.end; o += kRows) {
      const int rows = std::min(kRows, out.end - o);
      for (int c = 0; c < in; c += kColumns) {
        add_tile({o, o + rows}, {c, std::min(in, c + kColumns)}, scale, w);
      }
    }
  }

 private:
  void add_tile(Range out, Range columns, float scale, float* w) const {
    float sums[kRows][kColumns] = {};
    const int n = columns.size();
    for (int j = 0; j < rank; ++j) {
      const float* a = right.data() + int64_t{j} * in + columns.begin;
      for (int r = 0; r < out.size(); ++r) {
        const float factor = left[static_cast<size_t>(int64_t{out.begin + r} * rank + j)];
        for (int i = 0; i < n; ++i) sums[r][i] += factor * a[i];
      }
    }
    for (int r = 0; r < out.size(); ++r) {
      float* row = w + int64_t{out.begin + r} * in + columns.begin;
      for (int i = 0; i < n; ++i) row[i] += scale * sums[r][i];
    }
  }
};

std::string where_of(const LoraAdapter& adapter) {
  return "[lora] " + adapter.directory().string();
}

std::string trained_for(const LoraAdapter& adapter, const ModelConfig& config) {
  return fmt::format("the adapter was trained for '{}', this model is a {} of {} layers",
                     adapter.base().empty() ? "an unnamed base" : printable(adapter.base()),
                     family_name(config.family), config.n_layers);
}

/// The spec whose tensor the adapter calls `name`.
const TensorSpec& find_spec(std::span<const TensorSpec> specs, const std::string& name,
                            const LoraAdapter& adapter, const ModelConfig& config) {
  const auto found = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& spec) {
    return without_model_prefix(spec.name) == without_model_prefix(name);
  });
  if (found != specs.end()) return *found;
  fail("{}: '{}' fits no tensor of the model; {}", where_of(adapter), printable(name),
       trained_for(adapter, config));
}

void check_shape(const std::vector<int64_t>& found, const TensorSpec& spec,
                 const LoraAdapter& adapter, const ModelConfig& config) {
  if (found == spec.shape) return;
  fail("{}: is made for a {} of shape [{}], the model's has [{}]; {}", where_of(adapter), spec.name,
       fmt::join(found, ", "), fmt::join(spec.shape, ", "), trained_for(adapter, config));
}

std::vector<int64_t> shape_of(const LoraPair& pair) {
  std::vector<int64_t> shape{pair.b->shape[0], pair.a->shape[1]};
  if (pair.transposed) std::swap(shape[0], shape[1]);
  return shape;
}

/// Throws Error where the bytes are not those of such a matrix.
HostMatrix matrix_in_panels(const StoredTensor& tensor) {
  HostMatrix matrix{.data = tensor.bytes.data(),
                    .out = static_cast<int>(tensor.shape.front()),
                    .in = static_cast<int>(tensor.shape.back()),
                    .blocks = tensor.blocks,
                    .in_panels = true};
  for (const WeightType type : kWeightTypes) {
    if (weight_type_name(type) == tensor.dtype) matrix.format = type;
  }
  if (matrix.format == WeightType::bf16) matrix.dtype = DType::bf16;
  if (panels_bytes(matrix) != tensor.bytes.size()) {
    fail("[packed] a matrix of {} x {} in {} takes other bytes than the {} that are there",
         matrix.out, matrix.in, printable(tensor.dtype), tensor.bytes.size());
  }
  return matrix;
}

}  // namespace

HostMatrix host_matrix(const StoredTensor& tensor) {
  if (tensor.in_panels) return matrix_in_panels(tensor);
  return {.data = tensor.bytes.data(),
          .dtype = tensor.blocks ? DType::f32 : tensor.element_type(),
          .out = static_cast<int>(tensor.shape.front()),
          .in = static_cast<int>(tensor.shape.back()),
          .blocks = tensor.blocks,
          .interleaved = tensor.interleaved};
}

Adaptation::Adaptation(std::span<const ScaledAdapter> adapters, const ModelConfig& config) {
  const std::vector<TensorSpec> specs = tensor_specs(config);
  for (const ScaledAdapter& adapter : adapters) add(adapter, config, specs);
}

void Adaptation::add(const ScaledAdapter& scaled, const ModelConfig& config,
                     std::span<const TensorSpec> specs) {
  const LoraAdapter& adapter = *scaled.adapter;
  for (const auto& [module, pair] : adapter.pairs()) {
    const TensorSpec& spec = find_spec(specs, module + ".weight", adapter, config);
    check_shape(shape_of(pair), spec, adapter, config);
    changes_[spec.name].push_back({&pair, scaled.scale * pair.scale});
  }
  for (const auto& [name, tensor] : adapter.replacements()) {
    const TensorSpec& spec = find_spec(specs, name, adapter, config);
    check_shape(tensor->shape, spec, adapter, config);
    if (!replacements_.emplace(spec.name, tensor).second) {
      fail("{}: replaces {}, as another adapter does; only one can", where_of(adapter), spec.name);
    }
  }
}

const StoredTensor& Adaptation::base_of(const TensorSpec& spec, const StoredTensor& stored) const {
  const auto found = replacements_.find(spec.name);
  return found == replacements_.end() ? stored : *found->second;
}

std::vector<float> Adaptation::merged(const TensorSpec& spec, const StoredTensor& base,
                                      ThreadPool& pool) const {
  std::vector<Product> products;
  std::vector<float> scales;
  for (const Change& change : changes_.at(spec.name)) {
    products.emplace_back(*change.pair);
    scales.push_back(change.scale);
  }
  std::vector<float> w(static_cast<size_t>(base.elements()));
  const auto out = static_cast<int>(spec.shape[0]);
  const auto in = static_cast<size_t>(spec.shape[1]);
  const HostMatrix matrix = host_matrix(base);
  pool.run((out + kRowsPerTask - 1) / kRowsPerTask, [&](int task, int) {
    const Range rows{task * kRowsPerTask, std::min(out, (task + 1) * kRowsPerTask)};
    for (int r = rows.begin; r < rows.end; ++r) {
      matrix.widen_row(r, w.data() + static_cast<size_t>(r) * in);
    }
    for (size_t i = 0; i < products.size(); ++i) products[i].add(rows, scales[i], w.data());
  });
  return w;
}

}  // namespace unmask
