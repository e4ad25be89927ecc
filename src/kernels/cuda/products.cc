// Products by cuBLASLt: bfloat16 in, float32 sums.
#include "kernels/cuda/products.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cublasLt.h>
#include <limits>
#include <map>
#include <tuple>

#include "kernels/cuda/check.h"

namespace unmask::cuda {

namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // what cuBLAS itself takes on Hopper
constexpr int kCandidates = 8;  // algorithms that are timed; the number was not tuned
// Rows of a timed product at most: its output may need memory of its own.
constexpr int kTrialRows = 8192;
constexpr int kTimedRuns = 3;  // of each, after one that is not timed

void check_lt(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) call_failed(call, cublasLtGetStatusString(status));
}

/// A descriptor of the library and the end of its life.
template <typename Handle, cublasStatus_t (*Destroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  ~Owned() {
    if (handle_ != nullptr) Destroy(handle_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Handle* address() { return &handle_; }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};
using Handle = Owned<cublasLtHandle_t, cublasLtDestroy>;
using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Bytes that an address is a multiple of; more than 256 make no difference to the library.
uint32_t alignment(const void* address) {
  return uint32_t{1} << std::min(8, std::countr_zero(reinterpret_cast<uintptr_t>(address)));
}

/// Rows that share a choice of algorithm: those that fill about as many tiles.
int bucket(int rows) {
  for (const int few : {1, 8, 16, 32}) {
    if (rows <= few) return few;
  }
  const int step = rows <= 1024 ? 64 : 1024;
  return (rows + step - 1) / step * step;
}

/// The library counts columns first: out^T [cols, rows] = weights^T^T x^T.
struct Problem {
  explicit Problem(const Product& p) {
    check_lt(cublasLtMatmulDescCreate(operation.address(), CUBLAS_COMPUTE_32F, CUDA_R_32F),
             "cublasLtMatmulDescCreate");
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    const cudaDataType_t out_type = p.out.narrow ? CUDA_R_16BF : CUDA_R_32F;
    if (p.bias.data != nullptr) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias.data);
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, out_type);
    }
    create(weights, CUDA_R_16BF, p.depth, p.cols, p.depth);
    create(x, CUDA_R_16BF, p.depth, p.rows, p.x_stride);
    create(out, out_type, p.cols, p.rows, p.out.stride);
  }

  template <typename Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check_lt(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof value),
             "cublasLtMatmulDescSetAttribute");
  }
  static void create(Layout& layout, cudaDataType_t type, int rows, int cols, int64_t stride) {
    check_lt(cublasLtMatrixLayoutCreate(layout.address(), type, static_cast<uint64_t>(rows),
                                        static_cast<uint64_t>(cols), stride),
             "cublasLtMatrixLayoutCreate");
  }

  Operation operation;
  Layout weights, x, out;
};

}  // namespace

struct Products::State {
  State(Device& on, bool tuning)
      : device(on), workspace(on.allocate(kWorkspaceBytes)), tunes(tuning) {
    check_lt(cublasLtCreate(handle.address()), "cublasLtCreate");
  }

  using Candidates = std::vector<cublasLtMatmulAlgo_t>;
  /// The library's suggestions for a problem, the one it likes best first.
  Candidates suggestions(const Product& p, const Problem& problem) const;
  bool fits(const Problem& problem, const cublasLtMatmulAlgo_t& algorithm) const;
  void multiply(const Product& p, const Problem& problem,
                const cublasLtMatmulAlgo_t& algorithm) const;
  float milliseconds(const Product& p, const Problem& problem,
                     const cublasLtMatmulAlgo_t& algorithm) const;
  cublasLtMatmulAlgo_t choose(const Product& p, const Problem& problem) const;

  /// Bucket of rows, columns, depth, strides, type of out, bias, adds, alignments of weights, x,
  /// out, bias.
  using Key = std::tuple<int, int, int, int64_t, int64_t, bool, bool, bool, uint32_t, uint32_t,
                         uint32_t, uint32_t>;

  Device& device;
  Buffer workspace;
  Handle handle;
  bool tunes;
  std::map<Key, cublasLtMatmulAlgo_t> chosen;
};

Products::State::Candidates Products::State::suggestions(const Product& p,
                                                         const Problem& problem) const {
  Preference preference;
  check_lt(cublasLtMatmulPreferenceCreate(preference.address()), "cublasLtMatmulPreferenceCreate");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check_lt(
        cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
  // Depth that is split is summed in float32, too, whatever the type of the output.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(p.weights));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(p.x));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(p.out.data));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(p.out.data));
  std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle.get(), problem.operation.get(), problem.weights.get(), problem.x.get(),
      problem.out.get(), problem.out.get(), preference.get(), kCandidates, results.data(), &found);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check_lt(status, "cublasLtMatmulAlgoGetHeuristic");
  Candidates algorithms;
  for (int i = 0; i < found; ++i) {
    const auto& result = results[static_cast<size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) algorithms.push_back(result.algo);
  }
  if (algorithms.empty()) {
    fail("[cuda] cuBLASLt computes no product of {} x {} rows and depth {}", p.rows, p.cols,
         p.depth);
  }
  return algorithms;
}

bool Products::State::fits(const Problem& problem, const cublasLtMatmulAlgo_t& algorithm) const {
  cublasLtMatmulHeuristicResult_t result{};
  return cublasLtMatmulAlgoCheck(handle.get(), problem.operation.get(), problem.weights.get(),
                                 problem.x.get(), problem.out.get(), problem.out.get(), &algorithm,
                                 &result) == CUBLAS_STATUS_SUCCESS &&
         result.workspaceSize <= kWorkspaceBytes;
}

void Products::State::multiply(const Product& p, const Problem& problem,
                               const cublasLtMatmulAlgo_t& algorithm) const {
  const float one = 1;
  const float kept = p.adds ? 1 : 0;
  check_lt(cublasLtMatmul(handle.get(), problem.operation.get(), &one, p.weights,
                          problem.weights.get(), p.x, problem.x.get(), &kept, p.out.data,
                          problem.out.get(), p.out.data, problem.out.get(), &algorithm,
                          workspace.data(), kWorkspaceBytes, device.stream()),
           "cublasLtMatmul");
}

float Products::State::milliseconds(const Product& p, const Problem& problem,
                                    const cublasLtMatmulAlgo_t& algorithm) const {
  const Event start;
  const Event stop;
  multiply(p, problem, algorithm);
  check(cudaEventRecord(start.get(), device.stream()), "cudaEventRecord");
  for (int i = 0; i < kTimedRuns; ++i) multiply(p, problem, algorithm);
  check(cudaEventRecord(stop.get(), device.stream()), "cudaEventRecord");
  check(cudaEventSynchronize(stop.get()), "cudaEventSynchronize");
  float elapsed = 0;
  check(cudaEventElapsedTime(&elapsed, start.get(), stop.get()), "cudaEventElapsedTime");
  return elapsed;
}

cublasLtMatmulAlgo_t Products::State::choose(const Product& p, const Problem& problem) const {
  const Candidates candidates = suggestions(p, problem);
  if (!tunes || device.records() || candidates.size() == 1) return candidates.front();
  // The product itself overwrites what trials leave; what it adds to must stay as it is.
  Product trial = p;
  trial.rows = std::min(p.rows, kTrialRows);
  const Problem small(trial);
  Buffer elsewhere;
  if (p.adds) {
    elsewhere =
        device.allocate(static_cast<size_t>(trial.rows) * static_cast<size_t>(p.out.stride) *
                        (p.out.narrow ? sizeof(Bf16) : sizeof(float)));
    trial.out.data = elsewhere.data();
  }
  std::vector<float> times;
  for (const auto& algorithm : candidates) {
    times.push_back(fits(small, algorithm) ? milliseconds(trial, small, algorithm)
                                           : std::numeric_limits<float>::infinity());
  }
  return candidates[static_cast<size_t>(std::min_element(times.begin(), times.end()) -
                                        times.begin())];
}

Products::Products(Device& device, bool tunes) : state_(std::make_unique<State>(device, tunes)) {}
Products::~Products() = default;

std::string Products::name() const {
  const size_t version = cublasLtGetVersion();
  return fmt::format("bfloat16, cuBLASLt {}.{}", version / 10000, version % 10000 / 100);
}

void Products::run(const Product& p) {
  const Problem problem(p);
  const State::Key key{bucket(p.rows),
                       p.cols,
                       p.depth,
                       p.x_stride,
                       p.out.stride,
                       p.out.narrow,
                       p.bias.data != nullptr,
                       p.adds,
                       alignment(p.weights),
                       alignment(p.x),
                       alignment(p.out.data),
                       alignment(p.bias.data)};
  const auto [found, is_new] = state_->chosen.try_emplace(key);
  if (is_new || !state_->fits(problem, found->second)) found->second = state_->choose(p, problem);
  state_->multiply(p, problem, found->second);
}

}  // namespace unmask::cuda
