// products_benchmark.cc for the products of oneDNN.
#include "bench/ceilings.h"
#include "onednn_products.h"
#include "product_cases.h"

namespace unmask::benchmarks {
namespace {

Kind of(std::string name, DType weights, double (*peak)(int threads)) {
  const auto create = [weights](const cpu::KernelTable& table, ThreadPool& pool) {
    return create_onednn_products(weights, table, pool);
  };
  return {std::move(name), create, peak};
}

std::vector<Kind> all_kinds() {
  return {of("onednn_f32", DType::f32, f32_ceiling), of("onednn_bf16", DType::bf16, bf16_ceiling)};
}

}  // namespace
}  // namespace unmask::benchmarks

int main(int argc, char** argv) {
  return unmask::benchmarks::run_products(argc, argv, unmask::benchmarks::all_kinds());
}
