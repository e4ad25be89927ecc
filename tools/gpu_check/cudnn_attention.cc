#include "gpu_check/cudnn_attention.h"

namespace unmask::tools {

namespace {

using Desc = cudnnBackendDescriptor_t;
using Name = cudnnBackendAttributeName_t;

// Tensors that have memory; the others get numbers above.
enum Id : int64_t { kQ = 1, kK, kV, kOut, kScale, kInner };

void check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char why[512] = "";
  cudnnGetLastErrorString(why, sizeof why);
  fail("[cudnn] {}: {}: {}", call, cudnnGetErrorString(status), why);
}

template <typename T>
void set(Desc d, Name name, cudnnBackendAttributeType_t type, const T* values, size_t count) {
  check(cudnnBackendSetAttribute(d, name, type, static_cast<int64_t>(count), values),
        "cudnnBackendSetAttribute");
}
void set(Desc d, Name name, const std::vector<int64_t>& values) {
  set(d, name, CUDNN_TYPE_INT64, values.data(), values.size());
}
void set(Desc d, Name name, Desc value) { set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &value, 1); }
void set(Desc d, Name name, cudnnDataType_t type) { set(d, name, CUDNN_TYPE_DATA_TYPE, &type, 1); }
void finish(Desc d) { check(cudnnBackendFinalize(d), "cudnnBackendFinalize"); }

}  // namespace

CudnnAttention::CudnnAttention(cuda::Device& device, const cuda::DeviceAttention& task)
    : device_(device), task_(task) {
  cudnnHandle_t handle = nullptr;
  check(cudnnCreate(&handle), "cudnnCreate");
  handle_.reset(handle);
  check(cudnnSetStream(handle, device.stream()), "cudnnSetStream");
  build_graph();
  const Desc graph = create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations_.data(),
      operations_.size());
  set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &handle, 1);
  finish(graph);
  choose_plan(graph);
  bind();
}

void CudnnAttention::queue() {
  check(cudnnBackendExecute(handle_.get(), plan_, arguments_), "cudnnBackendExecute");
}

Desc CudnnAttention::create(cudnnBackendDescriptorType_t type) {
  Desc descriptor = nullptr;
  check(cudnnBackendCreateDescriptor(type, &descriptor), "cudnnBackendCreateDescriptor");
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
  const int64_t rows = task_.rows;
  const int64_t keys = task_.keys;
  return tensor(id, type, {1, task_.n_heads, rows, keys},
                {task_.n_heads * rows * keys, rows * keys, keys, 1}, Kind::on_the_way);
}

Desc CudnnAttention::per_row(int64_t id) {
  const int64_t rows = task_.rows;
  return tensor(id, CUDNN_DATA_FLOAT, {1, task_.n_heads, rows, 1},
                {task_.n_heads * rows, rows, 1, 1}, Kind::on_the_way);
}

void CudnnAttention::multiply(Desc a, Desc b, Desc c) {
  const Desc how = create(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  set(how, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT);
  finish(how);
  const Desc operation = create(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
  set(operation, CUDNN_ATTR_OPERATION_MATMUL_DESC, how);
  finish(operation);
  operations_.push_back(operation);
}

void CudnnAttention::pointwise(cudnnPointwiseMode_t mode, Desc x, Desc b, Desc y) {
  const Desc how = create(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  set(how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, &mode, 1);
  set(how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  finish(how);
  const Desc operation = create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b != nullptr) set(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
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

// The engines know attention by this very sequence of operations; the log-sum-exp has to be in it,
// though nobody asks for it.
void CudnnAttention::build_graph() {
  const cuda::DeviceAttention& t = task_;
  const int64_t dim = t.head_dim;
  const auto matrix = [&](int64_t id, int64_t heads, int64_t rows, int64_t stride) {
    return tensor(id, CUDNN_DATA_BFLOAT16, {1, heads, rows, dim}, {rows * stride, dim, stride, 1},
                  Kind::in_memory);
  };
  const Desc q = matrix(kQ, t.n_heads, t.rows, t.q_stride);
  const Desc keys = tensor(kK, CUDNN_DATA_BFLOAT16, {1, t.n_kv_heads, dim, t.keys},
                           {t.keys * t.k_stride, dim, 1, t.k_stride}, Kind::in_memory);
  const Desc v = matrix(kV, t.n_kv_heads, t.keys, t.v_stride);
  const Desc out = matrix(kOut, t.n_heads, t.rows, t.out_stride);
  const Desc scale = tensor(kScale, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, Kind::by_value);
  int64_t id = kInner;
  const Desc products = scores(id++, CUDNN_DATA_FLOAT);
  const Desc scaled = scores(id++, CUDNN_DATA_FLOAT);
  const Desc lowered = scores(id++, CUDNN_DATA_FLOAT);
  const Desc weights = scores(id++, CUDNN_DATA_FLOAT);
  const Desc probabilities = scores(id++, CUDNN_DATA_BFLOAT16);
  const Desc largest = per_row(id++);
  const Desc sum = per_row(id++);
  const Desc log_sum = per_row(id++);
  const Desc lse = per_row(id++);
  multiply(q, keys, products);
  pointwise(CUDNN_POINTWISE_MUL, products, scale, scaled);
  reduce(CUDNN_REDUCE_TENSOR_MAX, scaled, largest);
  pointwise(CUDNN_POINTWISE_SUB, scaled, largest, lowered);
  pointwise(CUDNN_POINTWISE_EXP, lowered, nullptr, weights);
  reduce(CUDNN_REDUCE_TENSOR_ADD, weights, sum);
  pointwise(CUDNN_POINTWISE_LOG, sum, nullptr, log_sum);
  pointwise(CUDNN_POINTWISE_ADD, largest, log_sum, lse);
  pointwise(CUDNN_POINTWISE_DIV, weights, sum, probabilities);
  multiply(probabilities, v, out);
}

/// The library's own first choice that it can build.
void CudnnAttention::choose_plan(Desc graph) {
  const Desc heuristics = create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
  set(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode, 1);
  finish(heuristics);
  constexpr int64_t kMost = 8;
  std::vector<Desc> configs;
  for (int64_t i = 0; i < kMost; ++i) {
    configs.push_back(create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  }
  int64_t count = 0;
  check(cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, kMost, &count, configs.data()),
        "cudnnBackendGetAttribute (engines)");
  cudnnHandle_t handle = handle_.get();
  for (int64_t i = 0; i < count; ++i) {
    const Desc plan = create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configs[static_cast<size_t>(i)]);
    set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &handle, 1);
    if (cudnnBackendFinalize(plan) != CUDNN_STATUS_SUCCESS) continue;
    plan_ = plan;
    return;
  }
  fail("[cudnn] attention: found {} engines, none of which can be built", count);
}

void CudnnAttention::bind() {
  int64_t count = 0;
  int64_t bytes = 0;
  check(cudnnBackendGetAttribute(plan_, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
                                 1, &count, &bytes),
        "cudnnBackendGetAttribute (workspace)");
  workspace_ = std::make_unique<DeviceArray<std::byte>>(device_, static_cast<size_t>(bytes));
  arguments_ = create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  const std::vector<int64_t> ids{kQ, kK, kV, kOut, kScale};
  const std::vector<const void*> pointers{task_.q, task_.k, task_.v, task_.out, &task_.scale};
  const void* workspace = workspace_->data();
  set(arguments_, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids);
  set(arguments_, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers.data(),
      pointers.size());
  set(arguments_, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace, 1);
  finish(arguments_);
}

}  // namespace unmask::tools
