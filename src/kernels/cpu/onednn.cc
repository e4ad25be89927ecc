#include "kernels/cpu/onednn.h"

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

namespace unmask::cpu {

namespace {

using dnnl::matmul;
using dnnl::memory;

constexpr int kTileRows = 256;     // rows of x in one piece: 2 MB of bf16 at a width of 4096
constexpr int kMaxPanel = 512;     // columns in one piece: 4 MB of bf16 weights at a width of 4096
constexpr int kPanelStep = 64;     // what oneDNN's packed layouts are made of
constexpr int kPanelsWanted = 16;  // pieces that keep a handful of threads evenly busy

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

class OneDnnMatrix final : public PackedMatrix {
 public:
  OneDnnMatrix(int out, int in) : PackedMatrix(out, in) {}
  size_t bytes() const override {
    size_t sum = 0;
    for (const Panel& panel : panels) sum += panel.layout.get_size();
    return sum;
  }
  std::vector<Panel> panels;
  std::vector<Buffer> storage;
};

}  // namespace

struct Products::Impl {
  struct Piece {  // one compiled product
    matmul::primitive_desc description;
    matmul product;
  };
  using Key = std::tuple<int, int, int>;  // rows, in, columns

  Impl(DType weights, ThreadPool& threads)
      : dtype(weights),
        type(weights == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32),
        pool(threads),
        workers(static_cast<size_t>(threads.threads())) {}

  memory::desc input(int rows, int in) const { return {{rows, in}, type, memory::format_tag::ab}; }
  static memory::desc output(int rows, int columns) {
    return {{rows, columns}, memory::data_type::f32, memory::format_tag::ab};
  }
  memory::desc preferred_layout(int in, int columns) const;
  const Piece& piece(int rows, int in, const Panel& panel);
  void run_piece(Tensor x, const Panel& panel, Tensor bias, Tensor out, int worker);

  DType dtype;
  memory::data_type type;
  ThreadPool& pool;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::mutex mutex;  // of `pieces`
  std::map<Key, std::unique_ptr<Piece>> pieces;
  struct Worker {
    std::vector<std::byte> scratch;  // oneDNN's own
    std::vector<float> out;          // one piece; its fast kernels write dense rows only
  };
  std::vector<Worker> workers;
};

memory::desc Products::Impl::preferred_layout(int in, int columns) const {
  const memory::desc any({in, columns}, type, memory::format_tag::any);
  const matmul::desc shape(input(kTileRows, in), any, output(kTileRows, columns));
  return matmul::primitive_desc(shape, engine).weights_desc();
}

const Products::Impl::Piece& Products::Impl::piece(int rows, int in, const Panel& panel) {
  const Key key{rows, in, panel.columns};
  const std::lock_guard lock(mutex);
  auto& slot = pieces[key];
  if (slot == nullptr) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const matmul::desc shape(input(rows, in), panel.layout, output(rows, panel.columns));
    matmul::primitive_desc description(shape, attributes, engine);
    const std::string_view kernel = description.impl_info_str();
    UNMASK_CHECK(kernel.substr(0, 3) != "ref", "oneDNN has only a reference product for a shape");
    slot = std::make_unique<Piece>(Piece{description, matmul(description)});
  }
  return *slot;
}

void Products::Impl::run_piece(Tensor x, const Panel& panel, Tensor bias, Tensor out, int index) {
  const AloneInOpenMp alone;
  const Piece& p = piece(x.rows, x.cols, panel);
  Worker& worker = workers[static_cast<size_t>(index)];
  const memory::desc needed = p.description.scratchpad_desc();
  worker.scratch.resize(std::max(worker.scratch.size(), needed.get_size()));
  const size_t elements = static_cast<size_t>(x.rows) * static_cast<size_t>(panel.columns);
  worker.out.resize(std::max(worker.out.size(), elements));
  dnnl::stream stream(engine);
  p.product.execute(
      stream, {{DNNL_ARG_SRC, memory(input(x.rows, x.cols), engine, x.data)},
               {DNNL_ARG_WEIGHTS, panel.packed},
               {DNNL_ARG_DST, memory(output(x.rows, panel.columns), engine, worker.out.data())},
               {DNNL_ARG_SCRATCHPAD, memory(needed, engine, worker.scratch.data())}});
  stream.wait();
  for (int r = 0; r < x.rows; ++r) {
    const float* from = worker.out.data() + int64_t{r} * panel.columns;
    for (int c = 0; c < panel.columns; ++c) {
      out.f32(r)[c] = bias ? from[c] + bias.f32()[c] : from[c];
    }
  }
}

Products::Products(DType weights, ThreadPool& pool) : impl_(new Impl(weights, pool)) {
  UNMASK_CHECK(weights == DType::f32 || weights == DType::bf16,
               "products take float32 or bfloat16");
  try {
    impl_->preferred_layout(64, 64);
  } catch (const dnnl::error&) {
    fail(
        "[products] {}: this processor has no such product (bfloat16 needs AVX-512); use "
        "--dtype f32",
        dtype_name(weights));
  }
}

Products::~Products() = default;

std::unique_ptr<PackedMatrix> Products::pack(const HostMatrix& weights) {
  auto matrix = std::make_unique<OneDnnMatrix>(weights.out, weights.in);
  const int width = panel_width(weights.out);
  const int count = (weights.out + width - 1) / width;
  matrix->panels.resize(static_cast<size_t>(count));
  matrix->storage.resize(static_cast<size_t>(count));
  impl_->pool.run(count, [&](int i, int) {
    const AloneInOpenMp alone;
    const int first = i * width;
    const int columns = std::min(width, weights.out - first);
    const size_t elements = static_cast<size_t>(columns) * static_cast<size_t>(weights.in);
    const std::byte* from =
        static_cast<const std::byte*>(weights.data) +
        static_cast<size_t>(first) * static_cast<size_t>(weights.in) * dtype_bytes(weights.dtype);
    std::vector<std::byte> converted(elements * dtype_bytes(impl_->dtype));
    if (impl_->dtype == DType::bf16) {
      to_bf16(from, weights.dtype, elements, reinterpret_cast<uint16_t*>(converted.data()));
    } else {
      to_f32(from, weights.dtype, elements, reinterpret_cast<float*>(converted.data()));
    }
    Panel& panel = matrix->panels[static_cast<size_t>(i)];
    panel.columns = columns;
    panel.layout = impl_->preferred_layout(weights.in, columns);
    Buffer& storage = matrix->storage[static_cast<size_t>(i)];
    storage = allocate_host(panel.layout.get_size());
    panel.packed = memory(panel.layout, impl_->engine, storage.data());
    // Stored [out, in]; the product wants [in, out], which is the same bytes read column-major.
    memory plain({{weights.in, columns}, impl_->type, memory::format_tag::ba}, impl_->engine,
                 converted.data());
    dnnl::stream stream(impl_->engine);
    dnnl::reorder(plain, panel.packed).execute(stream, plain, panel.packed);
    stream.wait();
  });
  return matrix;
}

void Products::run(Tensor x, const PackedMatrix& weights, Tensor bias, Tensor out) {
  const auto& matrix = dynamic_cast<const OneDnnMatrix&>(weights);
  UNMASK_CHECK(x.cols == matrix.in() && out.cols == matrix.out() && x.rows == out.rows,
               "shapes of a product do not fit");
  UNMASK_CHECK(x.dtype == impl_->dtype && x.stride == x.cols, "input of a product");
  UNMASK_CHECK(!bias || bias.cols == out.cols, "shape of a bias");
  const int tiles = (x.rows + kTileRows - 1) / kTileRows;
  const int width = panel_width(matrix.out());
  const int panels = static_cast<int>(matrix.panels.size());
  impl_->pool.run(panels * tiles, [&](int task, int worker) {
    const int panel = task / tiles;
    const int first = task % tiles * kTileRows;
    const Range rows{first, std::min(first + kTileRows, x.rows)};
    const Range columns{panel * width, std::min((panel + 1) * width, matrix.out())};
    impl_->run_piece(x.slice(rows), matrix.panels[static_cast<size_t>(panel)],
                     bias ? bias.columns(columns) : bias, out.slice(rows).columns(columns), worker);
  });
}

}  // namespace unmask::cpu
