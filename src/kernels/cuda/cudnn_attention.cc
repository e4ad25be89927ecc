#include "kernels/cuda/cudnn_attention.h"

#include <algorithm>
#include <limits>

namespace unmask::cuda {

namespace {

using Desc = cudnnBackendDescriptor_t;
using Name = cudnnBackendAttributeName_t;

// Tensors that have memory; the others get numbers above.
enum Id : int64_t {
  kQ = 1,
  kK,
  kV,
  kOut,
  kScale,
  kRowCount,
  kKeyCount,
  kKeyPages,
  kValuePages,
  kMinusInfinity,
  kInner
};
constexpr int64_t kMostWorkspace = int64_t{1} << 30;  // flash attention needs next to none
constexpr float kNothing = -std::numeric_limits<float>::infinity();

void check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char why[512] = "";
  cudnn().last_error(why, sizeof why);
  fail("[cudnn] {}: {}: {}", call, cudnn().error_string(status), why);
}

template <typename T>
void set(Desc d, Name name, cudnnBackendAttributeType_t type, const T* values, size_t count) {
  check(cudnn().set_attribute(d, name, type, static_cast<int64_t>(count), values),
        "cudnnBackendSetAttribute");
}
void set(Desc d, Name name, const std::vector<int64_t>& values) {
  set(d, name, CUDNN_TYPE_INT64, values.data(), values.size());
}
void set(Desc d, Name name, Desc value) { set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &value, 1); }
void set(Desc d, Name name, cudnnDataType_t type) { set(d, name, CUDNN_TYPE_DATA_TYPE, &type, 1); }
void finish(Desc d) { check(cudnn().finalize(d), "cudnnBackendFinalize"); }

}  // namespace

CudnnAttention::CudnnAttention(Device& device, const DeviceAttention& task)
    : device_(device), task_(task), shape_{1, task.n_heads, task.rows, task.keys} {
  start();
  build_graph(dense_operands());
  finish_plan();
}

CudnnAttention::CudnnAttention(Device& device, const DeviceAttention& task, const CudnnPages& pages)
    : device_(device),
      task_(task),
      shape_{int64_t{task.n_heads} * pages.n_blocks, 1, pages.block_size,
             int64_t{pages.count} * pages.block_size} {
  start();
  build_graph(paged_operands(pages));
  finish_plan();
}

void CudnnAttention::start() {
  cudnnHandle_t handle = nullptr;
  check(cudnn().create(&handle), "cudnnCreate");
  handle_.reset(handle);
  check(cudnn().set_stream(handle, device_.stream()), "cudnnSetStream");
}

void CudnnAttention::finish_plan() {
  cudnnHandle_t handle = handle_.get();
  const Desc graph = create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations_.data(),
      operations_.size());
  set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &handle, 1);
  finish(graph);
  choose_plan(graph);
}

void CudnnAttention::queue(const DeviceAttention& task) {
  const bool bound = arguments_ && task.q == task_.q && task.k == task_.k && task.v == task_.v &&
                     task.out == task_.out && task.scale == task_.scale;
  if (!bound) bind(task);
  check(cudnn().execute(handle_.get(), plan_, arguments_.get()), "cudnnBackendExecute");
}

Desc CudnnAttention::create(cudnnBackendDescriptorType_t type) {
  Desc descriptor = nullptr;
  check(cudnn().create_descriptor(type, &descriptor), "cudnnBackendCreateDescriptor");
  return owned_.emplace_back(descriptor).get();
}

Desc CudnnAttention::tensor(int64_t id, cudnnDataType_t type, const std::vector<int64_t>& sizes,
                            const std::vector<int64_t>& strides, Kind kind) {
  const Desc t = create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set(t, CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  set(t, CUDNN_ATTR_TENSOR_DIMENSIONS, sizes);
  set(t, CUDNN_ATTR_TENSOR_STRIDES, strides);
  set(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, {id});
  set(t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {16});
  const bool yes = true;
  if (kind == Kind::on_the_way) {
    set(t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, &yes, 1);
  } else if (kind == Kind::by_value) {
    set(t, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, &yes, 1);
  }
  finish(t);
  return t;
}

Desc CudnnAttention::scores(int64_t id, cudnnDataType_t type) {
  const auto [sequences, heads, rows, keys] = shape_;
  return tensor(id, type, {sequences, heads, rows, keys},
                {heads * rows * keys, rows * keys, keys, 1}, Kind::on_the_way);
}

Desc CudnnAttention::per_row(int64_t id) {
  const auto [sequences, heads, rows, keys] = shape_;
  return tensor(id, CUDNN_DATA_FLOAT, {sequences, heads, rows, 1}, {heads * rows, rows, 1, 1},
                Kind::on_the_way);
}

Desc CudnnAttention::per_sequence(int64_t id, int64_t count) {
  return tensor(id, CUDNN_DATA_INT32, {shape_.sequences, 1, count, 1}, {count, count, 1, 1},
                Kind::in_memory);
}

void CudnnAttention::multiply(Desc a, Desc b, Desc c, Name keys_are) {
  const Desc how = create(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  set(how, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT);
  if (keys_are == CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC && key_count_ != nullptr) {
    const double outside = 0;
    set(how, CUDNN_ATTR_MATMUL_PADDING_VALUE, CUDNN_TYPE_DOUBLE, &outside, 1);
  }
  finish(how);
  const Desc operation = create(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_DESC, how);
  if (key_count_ != nullptr) {
    set(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC, row_count_);
    set(operation, keys_are, key_count_);
  }
  finish(operation);
  operations_.push_back(operation);
}

void CudnnAttention::pointwise(cudnnPointwiseMode_t mode, Desc x, Desc b, Desc y, Desc choice,
                               int64_t axis) {
  const Desc how = create(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  set(how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, &mode, 1);
  const bool counts = mode == CUDNN_POINTWISE_GEN_INDEX;
  const bool decides = mode == CUDNN_POINTWISE_CMP_LT || mode == CUDNN_POINTWISE_LOGICAL_AND;
  set(how, CUDNN_ATTR_POINTWISE_MATH_PREC,
      counts    ? CUDNN_DATA_INT32
      : decides ? CUDNN_DATA_BOOLEAN
                : CUDNN_DATA_FLOAT);
  if (axis >= 0) set(how, CUDNN_ATTR_POINTWISE_AXIS, {axis});
  finish(how);
  const Desc operation = create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b != nullptr) set(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
  if (choice != nullptr) set(operation, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, choice);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  finish(operation);
  operations_.push_back(operation);
}

void CudnnAttention::reduce(cudnnReduceTensorOp_t how, Desc x, Desc y) {
  const Desc kind = create(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  set(kind, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, &how, 1);
  set(kind, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  finish(kind);
  const Desc operation = create(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
  set(operation, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
  set(operation, CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind);
  finish(operation);
  operations_.push_back(operation);
}

CudnnAttention::Operands CudnnAttention::dense_operands() {
  const DeviceAttention& t = task_;
  const int64_t dim = t.head_dim;
  const auto matrix = [&](int64_t id, int64_t heads, int64_t rows, int64_t stride) {
    return tensor(id, CUDNN_DATA_BFLOAT16, {1, heads, rows, dim}, {rows * stride, dim, stride, 1},
                  Kind::in_memory);
  };
  const Desc keys = tensor(kK, CUDNN_DATA_BFLOAT16, {1, t.n_kv_heads, dim, t.keys},
                           {t.keys * t.k_stride, dim, 1, t.k_stride}, Kind::in_memory);
  return {matrix(kQ, t.n_heads, t.rows, t.q_stride), keys,
          matrix(kV, t.n_kv_heads, t.keys, t.v_stride),
          matrix(kOut, t.n_heads, t.rows, t.out_stride)};
}

CudnnAttention::Operands CudnnAttention::paged_operands(const CudnnPages& pages) {
  const auto lists = static_cast<size_t>(shape_.sequences);
  row_counts_ = copied(device_, std::vector<int32_t>(lists, static_cast<int32_t>(shape_.rows)));
  key_counts_ = copied(device_, std::vector<int32_t>(lists, static_cast<int32_t>(shape_.keys)));
  std::vector<int32_t> table(pages.blocks.begin(), pages.blocks.end());
  const size_t of_head = static_cast<size_t>(pages.n_blocks) * static_cast<size_t>(pages.count);
  const int group = task_.n_heads / task_.n_kv_heads;
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] += static_cast<int>(i / of_head) / group * pages.n_blocks;
  }
  page_table_ = copied(device_, table);
  row_count_ = per_sequence(kRowCount, 1);
  key_count_ = per_sequence(kKeyCount, 1);
  const int64_t dim = task_.head_dim;
  const auto blocks = [&](int64_t id) {
    return tensor(id, CUDNN_DATA_BFLOAT16, {shape_.sequences, 1, shape_.rows, dim},
                  {shape_.rows * dim, shape_.rows * dim, dim, 1}, Kind::in_memory);
  };
  return {blocks(kQ), load_pages(kK, kKeyPages, kInner, pages, true),
          load_pages(kV, kValuePages, kInner + 1, pages, false), blocks(kOut)};
}

Desc CudnnAttention::load_pages(int64_t id, int64_t pages_id, int64_t loaded_id,
                                const CudnnPages& pages, bool transposed) {
  const int64_t dim = task_.head_dim;
  const int64_t page = pages.block_size * dim;
  const int64_t keys = shape_.keys;
  const Desc store = tensor(id, CUDNN_DATA_BFLOAT16,
                            {int64_t{task_.n_kv_heads} * pages.n_blocks, 1, pages.block_size, dim},
                            {page, page, dim, 1}, Kind::in_memory);
  const std::vector<int64_t> sizes = transposed
                                         ? std::vector{shape_.sequences, int64_t{1}, dim, keys}
                                         : std::vector{shape_.sequences, int64_t{1}, keys, dim};
  const std::vector<int64_t> strides = transposed
                                           ? std::vector{dim * keys, dim * keys, int64_t{1}, dim}
                                           : std::vector{dim * keys, dim * keys, dim, int64_t{1}};
  const Desc loaded = tensor(loaded_id, CUDNN_DATA_BFLOAT16, sizes, strides, Kind::on_the_way);
  const Desc operation = create(CUDNN_BACKEND_OPERATION_PAGED_CACHE_LOAD_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_CONTAINER_DESC, store);
  set(operation, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_PAGE_TABLE_DESC,
      per_sequence(pages_id, pages.count));
  set(operation, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_SEQUENCE_DESC, key_count_);
  set(operation, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_YDESC, loaded);
  finish(operation);
  operations_.push_back(operation);
  return loaded;
}

/// The engines take pages only with a mask of the lengths.
Desc CudnnAttention::within_lengths(Desc scaled) {
  int64_t id = kInner + 20;
  const Desc row = scores(id++, CUDNN_DATA_INT32);
  const Desc column = scores(id++, CUDNN_DATA_INT32);
  const Desc row_counts = scores(id++, CUDNN_DATA_BOOLEAN);
  const Desc key_counts = scores(id++, CUDNN_DATA_BOOLEAN);
  const Desc both = scores(id++, CUDNN_DATA_BOOLEAN);
  const Desc masked = scores(id++, CUDNN_DATA_FLOAT);
  const Desc nothing =
      tensor(kMinusInfinity, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, Kind::by_value);
  pointwise(CUDNN_POINTWISE_GEN_INDEX, scaled, nullptr, row, nullptr, 2);
  pointwise(CUDNN_POINTWISE_GEN_INDEX, scaled, nullptr, column, nullptr, 3);
  pointwise(CUDNN_POINTWISE_CMP_LT, row, row_count_, row_counts);
  pointwise(CUDNN_POINTWISE_CMP_LT, column, key_count_, key_counts);
  pointwise(CUDNN_POINTWISE_LOGICAL_AND, row_counts, key_counts, both);
  pointwise(CUDNN_POINTWISE_BINARY_SELECT, scaled, nothing, masked, both);
  return masked;
}

// The engines know attention by this very sequence of operations; the log-sum-exp has to be in it,
// though nobody asks for it.
void CudnnAttention::build_graph(const Operands& operands) {
  const auto& [q, keys, v, out] = operands;
  const Desc scale = tensor(kScale, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, Kind::by_value);
  int64_t id = kInner + 2;
  const Desc products = scores(id++, CUDNN_DATA_FLOAT);
  const Desc scaled = scores(id++, CUDNN_DATA_FLOAT);
  const Desc lowered = scores(id++, CUDNN_DATA_FLOAT);
  const Desc weights = scores(id++, CUDNN_DATA_FLOAT);
  const Desc probabilities = scores(id++, CUDNN_DATA_BFLOAT16);
  const Desc largest = per_row(id++);
  const Desc sum = per_row(id++);
  const Desc log_sum = per_row(id++);
  const Desc lse = per_row(id++);
  multiply(q, keys, products, CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC);
  pointwise(CUDNN_POINTWISE_MUL, products, scale, scaled);
  const Desc seen = key_count_ == nullptr ? scaled : within_lengths(scaled);
  reduce(CUDNN_REDUCE_TENSOR_MAX, seen, largest);
  pointwise(CUDNN_POINTWISE_SUB, seen, largest, lowered);
  pointwise(CUDNN_POINTWISE_EXP, lowered, nullptr, weights);
  reduce(CUDNN_REDUCE_TENSOR_ADD, weights, sum);
  pointwise(CUDNN_POINTWISE_LOG, sum, nullptr, log_sum);
  pointwise(CUDNN_POINTWISE_ADD, largest, log_sum, lse);
  pointwise(CUDNN_POINTWISE_DIV, weights, sum, probabilities);
  multiply(probabilities, v, out, CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC);
}

std::vector<Desc> CudnnAttention::suggested(Desc graph) {
  const Desc heuristics = create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
  set(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode, 1);
  if (cudnn().finalize(heuristics) != CUDNN_STATUS_SUCCESS) return {};
  constexpr int64_t kMost = 8;
  std::vector<Desc> configs;
  for (int64_t i = 0; i < kMost; ++i) {
    configs.push_back(create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  }
  int64_t count = 0;
  check(cudnn().get_attribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                              CUDNN_TYPE_BACKEND_DESCRIPTOR, kMost, &count, configs.data()),
        "cudnnBackendGetAttribute (suggestions)");
  configs.resize(static_cast<size_t>(std::min(count, kMost)));
  return configs;
}

std::vector<Desc> CudnnAttention::all_engines(Desc graph) {
  int64_t found = 0;
  int64_t count = 0;
  check(cudnn().get_attribute(graph, CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT,
                              CUDNN_TYPE_INT64, 1, &found, &count),
        "cudnnBackendGetAttribute (engines)");
  std::vector<Desc> configs;
  for (int64_t i = 0; i < count; ++i) {
    const Desc engine = create(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    set(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
    set(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, {i});
    if (cudnn().finalize(engine) != CUDNN_STATUS_SUCCESS) continue;
    const Desc config = create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    set(config, CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    if (cudnn().finalize(config) == CUDNN_STATUS_SUCCESS) configs.push_back(config);
  }
  return configs;
}

/// What the library suggests first, else any engine that takes the graph.
void CudnnAttention::choose_plan(Desc graph) {
  if (build_first(suggested(graph))) return;
  const std::vector<Desc> engines = all_engines(graph);
  if (!build_first(engines)) {
    fail("[cudnn] attention: found {} engines, none of which can be built", engines.size());
  }
}

bool CudnnAttention::build_first(const std::vector<Desc>& configs) {
  cudnnHandle_t handle = handle_.get();
  for (const Desc config : configs) {
    const Desc plan = create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &handle, 1);
    if (cudnn().finalize(plan) != CUDNN_STATUS_SUCCESS) continue;
    int64_t count = 0;
    int64_t bytes = 0;
    check(cudnn().get_attribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                &count, &bytes),
          "cudnnBackendGetAttribute (workspace)");
    if (bytes > kMostWorkspace) continue;
    workspace_ = device_.allocate(static_cast<size_t>(bytes));
    plan_ = plan;
    return true;
  }
  return false;
}

void CudnnAttention::bind(const DeviceAttention& task) {
  arguments_.reset();
  task_ = task;
  cudnnBackendDescriptor_t made = nullptr;
  check(cudnn().create_descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &made),
        "cudnnBackendCreateDescriptor");
  Descriptor arguments(made);
  std::vector<int64_t> ids{kQ, kK, kV, kOut, kScale};
  std::vector<const void*> pointers{task_.q, task_.k, task_.v, task_.out, &task_.scale};
  if (row_count_ != nullptr) {
    ids.insert(ids.end(), {kRowCount, kKeyCount, kKeyPages, kValuePages, kMinusInfinity});
    pointers.insert(pointers.end(), {row_counts_.data(), key_counts_.data(), page_table_.data(),
                                     page_table_.data(), &kNothing});
  }
  const void* workspace = workspace_.data();
  set(made, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids);
  set(made, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers.data(),
      pointers.size());
  set(made, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace, 1);
  finish(made);
  arguments_ = std::move(arguments);
}

}  // namespace unmask::cuda
