// Cut into single-threaded pieces that our own pool runs.
//
// Why the pieces: oneDNN chooses its summation order by shape and thread count. Each piece is a
// fixed panel of output columns times a tile of rows, on one thread, so the result of a row depends
// neither on the number of threads nor on the rows beside it, and no second thread pool competes.
#include "onednn_products.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <tuple>
#include <vector>

// oneDNN runs on GCC's OpenMP, which each of our threads must tell to stay alone. Declared here
// because <omp.h> of clang belongs to another runtime.
extern "C" {
void omp_set_num_threads(int);
int omp_get_max_threads();
}

namespace unmask::benchmarks {

namespace {

using cpu::CpuMatrix;
using cpu::KernelTable;
using cpu::Products;
using dnnl::matmul;
using dnnl::memory;

constexpr int kTileRows = 256;     // rows of x in one piece: 2 MB of bf16 at a width of 4096
constexpr int kMaxPanel = 512;     // columns in one piece: 4 MB of bf16 weights at a width of 4096
constexpr int kPanelStep = 64;     // what oneDNN's packed layouts are made of
constexpr int kPanelsWanted = 16;  // two and more for each of 8 threads, which evens them out

/// Columns per panel; a function of the shape alone.
int panel_width(int out) {
  const int even = (out / kPanelsWanted + kPanelStep - 1) / kPanelStep * kPanelStep;
  return std::min(std::max(even, kPanelStep), kMaxPanel);
}

/// Keeps OpenMP to the calling thread for as long as it lives.
class AloneInOpenMp {
 public:
  AloneInOpenMp() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~AloneInOpenMp() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  AloneInOpenMp(const AloneInOpenMp&) = delete;
  AloneInOpenMp& operator=(const AloneInOpenMp&) = delete;

 private:
  int before_;
};

struct Panel {
  int columns;
  memory::desc layout;
  memory packed;
};

class OneDnnMatrix final : public CpuMatrix {
 public:
  OneDnnMatrix(const HostMatrix& shape, Products& products) : CpuMatrix(shape, products) {}
  size_t bytes() const override {
    size_t sum = 0;
    for (const Panel& panel : panels) sum += panel.layout.get_size();
    return sum;
  }

  std::vector<Panel> panels;
  std::vector<Buffer> storage;
};

class OneDnnProducts final : public Products {
 public:
  OneDnnProducts(DType weights, const KernelTable& table, ThreadPool& threads)
      : dtype_(weights),
        type_(weights == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32),
        table_(table),
        pool_(threads),
        workers_(static_cast<size_t>(threads.threads())) {
    preferred_layout(64, 64);  // throws when there is none
  }

  std::string_view name() const override {
    return dtype_ == DType::bf16 ? "bfloat16 by oneDNN" : "float32 by oneDNN";
  }
  std::unique_ptr<CpuMatrix> pack(const HostMatrix& weights) override;
  void multiply(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows) override;

 private:
  struct Piece {  // one compiled product
    matmul::primitive_desc description;
    matmul product;
  };
  using Key = std::tuple<int, int, int>;  // rows, in, columns
  struct Worker {
    std::vector<std::byte> scratch;  // oneDNN's own
    std::vector<float> out;          // one piece; its fast kernels write dense rows only
  };

  memory::desc input(int rows, int in) const { return {{rows, in}, type_, memory::format_tag::ab}; }
  static memory::desc output(int rows, int columns) {
    return {{rows, columns}, memory::data_type::f32, memory::format_tag::ab};
  }
  memory::desc preferred_layout(int in, int columns) const;
  void pack_panel(const HostMatrix& weights, Range columns, Panel& panel, Buffer& storage) const;
  /// `x` with dense rows of the weights' type, a copy unless it is that already.
  Tensor dense(Tensor x);
  const Piece& piece(int rows, int in, const Panel& panel);
  /// One map of a dense input.
  void apply(Tensor x, const LinearMap& map);
  /// A part of a map: some rows, the columns of one panel.
  void run_piece(Tensor x, const Panel& panel, const LinearMap& part, int worker);
  /// Leaves one finished row where the product goes.
  void deliver(float* y, const LinearMap& part, int row) const;

  DType dtype_;
  memory::data_type type_;
  const KernelTable& table_;
  ThreadPool& pool_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  std::mutex mutex_;  // of `pieces_`
  std::map<Key, std::unique_ptr<Piece>> pieces_;
  std::vector<Worker> workers_;
  Buffer dense_;  // copies of inputs
};

memory::desc OneDnnProducts::preferred_layout(int in, int columns) const {
  const memory::desc any({in, columns}, type_, memory::format_tag::any);
  const matmul::desc shape(input(kTileRows, in), any, output(kTileRows, columns));
  return matmul::primitive_desc(shape, engine_).weights_desc();
}

const OneDnnProducts::Piece& OneDnnProducts::piece(int rows, int in, const Panel& panel) {
  const Key key{rows, in, panel.columns};
  const std::lock_guard lock(mutex_);
  auto& slot = pieces_[key];
  if (slot == nullptr) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const matmul::desc shape(input(rows, in), panel.layout, output(rows, panel.columns));
    matmul::primitive_desc description(shape, attributes, engine_);
    const std::string_view kernel = description.impl_info_str();
    UNMASK_CHECK(kernel.substr(0, 3) != "ref", "oneDNN has only a reference product for a shape");
    slot = std::make_unique<Piece>(Piece{description, matmul(description)});
  }
  return *slot;
}

void OneDnnProducts::deliver(float* y, const LinearMap& part, int row) const {
  float* out = part.out.f32(row);
  const int n = part.out.cols;
  if (part.bias) table_.add(y, part.bias.f32(), n);
  switch (part.into) {
    case Into::store: std::copy_n(y, n, out); break;
    case Into::add: table_.add(out, y, n); break;
    case Into::gate: table_.swiglu(out, y, n); break;
  }
}

void OneDnnProducts::run_piece(Tensor x, const Panel& panel, const LinearMap& part, int index) {
  const AloneInOpenMp alone;
  const Piece& p = piece(x.rows, x.cols, panel);
  Worker& worker = workers_[static_cast<size_t>(index)];
  const memory::desc needed = p.description.scratchpad_desc();
  worker.scratch.resize(std::max(worker.scratch.size(), needed.get_size()));
  const size_t elements = static_cast<size_t>(x.rows) * static_cast<size_t>(panel.columns);
  worker.out.resize(std::max(worker.out.size(), elements));
  dnnl::stream stream(engine_);
  p.product.execute(
      stream, {{DNNL_ARG_SRC, memory(input(x.rows, x.cols), engine_, x.data)},
               {DNNL_ARG_WEIGHTS, panel.packed},
               {DNNL_ARG_DST, memory(output(x.rows, panel.columns), engine_, worker.out.data())},
               {DNNL_ARG_SCRATCHPAD, memory(needed, engine_, worker.scratch.data())}});
  stream.wait();
  for (int r = 0; r < x.rows; ++r) {
    deliver(worker.out.data() + int64_t{r} * panel.columns, part, r);
  }
}

void OneDnnProducts::pack_panel(const HostMatrix& weights, Range columns, Panel& panel,
                                Buffer& storage) const {
  const AloneInOpenMp alone;
  const auto width = static_cast<size_t>(weights.in);
  std::vector<std::byte> converted(static_cast<size_t>(columns.size()) * width *
                                   dtype_bytes(dtype_));
  std::byte* row = converted.data();
  for (int r = columns.begin; r < columns.end; ++r, row += width * dtype_bytes(dtype_)) {
    if (dtype_ == DType::bf16) {
      weights.narrow_row(r, reinterpret_cast<uint16_t*>(row));
    } else {
      weights.widen_row(r, reinterpret_cast<float*>(row));
    }
  }
  panel.columns = columns.size();
  panel.layout = preferred_layout(weights.in, columns.size());
  storage = allocate_host(panel.layout.get_size());
  panel.packed = memory(panel.layout, engine_, storage.data());
  // Stored [out, in]; the product wants [in, out], which is the same bytes read column-major.
  memory plain({{weights.in, columns.size()}, type_, memory::format_tag::ba}, engine_,
               converted.data());
  dnnl::stream stream(engine_);
  dnnl::reorder(plain, panel.packed).execute(stream, plain, panel.packed);
  stream.wait();
}

std::unique_ptr<CpuMatrix> OneDnnProducts::pack(const HostMatrix& weights) {
  auto matrix = std::make_unique<OneDnnMatrix>(weights, *this);
  const int width = panel_width(weights.out);
  const int count = (weights.out + width - 1) / width;
  matrix->panels.resize(static_cast<size_t>(count));
  matrix->storage.resize(static_cast<size_t>(count));
  pool_.run(count, [&](int i, int) {
    const auto at = static_cast<size_t>(i);
    pack_panel(weights, {i * width, std::min((i + 1) * width, weights.out)}, matrix->panels[at],
               matrix->storage[at]);
  });
  return matrix;
}

Tensor OneDnnProducts::dense(Tensor x) {
  const bool narrow = dtype_ == DType::bf16;
  if (!narrow && x.stride == x.cols) return x;
  const auto bytes =
      static_cast<size_t>(x.rows) * static_cast<size_t>(x.cols) * dtype_bytes(dtype_);
  if (dense_.bytes() < bytes) dense_ = allocate_host(bytes);
  pool_.run(x.rows, [&](int r, int) {
    const int64_t at = int64_t{r} * x.cols;
    if (narrow) {
      table_.to_bf16(x.f32(r), x.cols, static_cast<uint16_t*>(dense_.data()) + at);
    } else {
      std::copy_n(x.f32(r), x.cols, static_cast<float*>(dense_.data()) + at);
    }
  });
  return dense_.view(x.rows, x.cols, dtype_);
}

void OneDnnProducts::multiply(Tensor x, std::span<const LinearMap> maps,
                              std::span<const Range> rows) {
  UNMASK_CHECK(rows.empty(), "maps that take all rows");
  const Tensor given = dense(x);
  for (const LinearMap& map : maps) apply(given, map);
}

void OneDnnProducts::apply(Tensor x, const LinearMap& map) {
  const auto& matrix = dynamic_cast<const OneDnnMatrix&>(*map.weights);
  const int tiles = (x.rows + kTileRows - 1) / kTileRows;
  const int width = panel_width(matrix.out());
  const int panels = static_cast<int>(matrix.panels.size());
  pool_.run(panels * tiles, [&](int task, int worker) {
    const int panel = task / tiles;
    const int first = task % tiles * kTileRows;
    const Range rows{first, std::min(first + kTileRows, x.rows)};
    const Range columns{panel * width, std::min((panel + 1) * width, matrix.out())};
    const LinearMap part{.weights = map.weights,
                         .out = map.out.slice(rows).columns(columns),
                         .bias = map.bias ? map.bias.columns(columns) : Tensor{},
                         .into = map.into};
    run_piece(x.slice(rows), matrix.panels[static_cast<size_t>(panel)], part, worker);
  });
}

}  // namespace

std::unique_ptr<Products> create_onednn_products(DType weights, const KernelTable& table,
                                                 ThreadPool& pool) {
  UNMASK_CHECK(weights == DType::f32 || weights == DType::bf16,
               "products take float32 or bfloat16");
  try {
    return std::make_unique<OneDnnProducts>(weights, table, pool);
  } catch (const dnnl::error&) {
    fail(ErrorCode::weight_type,
         "[products] {}: this processor has no such product (bfloat16 needs AVX-512)",
         dtype_name(weights));
  }
}

}  // namespace unmask::benchmarks
