#include "kernels/cuda/expert_tasks.h"

#include <algorithm>

#include "kernels/cuda/cell_work.h"
#include "kernels/cuda/tensor_view.h"
#include "kernels/cuda/weights.h"

namespace unmask::cuda {

namespace {

// Choices that pass together: 8,192 rows of 8 experts, as many as the feed-forward takes at a time.
// Their outputs are 268 MB for the 2,048 columns of LLaDA2-mini.
constexpr int kMostChoices = 65536;
// Tables of experts that stay, one a layer; of models that are gone some may be among them.
constexpr size_t kMostTables = 256;

void check_room(const Experts& experts) {
  const auto n = static_cast<int>(experts.maps.size());
  if (n > kMaxExperts || experts.routing.groups > kMaxGroups) {
    fail(ErrorCode::device, "[cuda] experts: found {} in {} groups, expected at most {} in {}", n,
         experts.routing.groups, kMaxExperts, kMaxGroups);
  }
}

}  // namespace

void ExpertTasks::run(const Operand& x, int rows, const Experts& experts, Tensor out, Into into) {
  check_room(experts);
  const GatedMaps& first = experts.maps[0];
  const int depth = matrix_of(first.gate).depth();
  const Matrices matrices{.table = table(experts.maps),
                          .router = split(experts.router, depth),
                          .depth = depth,
                          .inner = matrix_of(first.down).depth(),
                          .width = first.gate->out()};
  const int together = std::max(1, kMostChoices / experts.routing.top_k);
  for (int begin = 0; begin < rows; begin += together) {
    const Range some{begin, std::min(rows, begin + together)};
    run_some({x.data + begin * x.stride, x.stride}, experts, matrices, out.slice(some), into);
  }
}

const Bf16* ExpertTasks::split(Tensor router, int depth) {
  static_assert(kRouterParts == SplitFloat::kParts);
  UNMASK_CHECK(router.dtype == DType::f32, "routers are float32");
  auto* parts = router_.fit<Bf16>(static_cast<size_t>(kRouterParts) *
                                  static_cast<size_t>(router.rows) * static_cast<size_t>(depth));
  launch(SplitFloat{router.rows, depth, view(router), router.cols, {parts, depth, true}},
         device_.stream());
  return parts;
}

const DeviceExpert* ExpertTasks::table(std::span<const GatedMaps> maps) {
  static_assert(sizeof(DeviceExpert) == 3 * sizeof(const Bf16*));
  std::vector<const Bf16*> key;
  for (const GatedMaps& m : maps) {
    for (const PackedMatrix* matrix : {m.gate, m.up, m.down}) {
      key.push_back(matrix_of(matrix).values());
    }
    UNMASK_CHECK(m.gate->out() == maps[0].gate->out() && m.up->out() == m.gate->out() &&
                     m.down->in() == m.gate->out() && m.down->out() == m.gate->in(),
                 "experts are of one shape");
  }
  auto found = tables_.find(key);
  if (found == tables_.end()) {
    if (tables_.size() >= kMostTables) tables_.clear();
    Buffer on_device = copied(device_, key);
    found = tables_.emplace(std::move(key), std::move(on_device)).first;
  }
  return static_cast<const DeviceExpert*>(found->second.data());
}

void ExpertTasks::run_some(const Operand& x, const Experts& experts, const Matrices& matrices,
                           Tensor out, Into into) {
  const auto n = static_cast<int>(experts.maps.size());
  const int top_k = experts.routing.top_k;
  const int choices = out.rows * top_k;
  const auto count = static_cast<size_t>(choices);
  const int columns = kRouterParts * n;
  const View logits{
      logits_.fit<float>(static_cast<size_t>(out.rows) * static_cast<size_t>(columns)), columns};
  products_.run({.x = x.data,
                 .x_stride = x.stride,
                 .weights = matrices.router,
                 .out = logits,
                 .rows = out.rows,
                 .cols = columns,
                 .depth = matrices.depth});
  const DeviceRouting routing{.logits = static_cast<const float*>(logits.data),
                              .bias = experts.router_bias ? experts.router_bias.f32() : nullptr,
                              .rows = out.rows,
                              .experts = n,
                              .routing = experts.routing,
                              .chosen = chosen_.fit<int32_t>(count),
                              .weights = weights_.fit<float>(count)};
  launch_routing(routing, device_.stream());
  const DeviceGrouping grouping{.chosen = routing.chosen,
                                .choices = choices,
                                .experts = n,
                                .begins = begins_.fit<int32_t>(static_cast<size_t>(n) + 1),
                                .order = order_.fit<int32_t>(count),
                                .places = places_.fit<int32_t>(count)};
  launch_grouping(grouping, device_.stream());
  GroupedProduct product{.weights = matrices.table,
                         .gated = true,
                         .begins = grouping.begins,
                         .x = x.data,
                         .x_stride = x.stride,
                         .order = grouping.order,
                         .top_k = top_k,
                         .out = inner_.fit<Bf16>(count * static_cast<size_t>(matrices.inner)),
                         .out_stride = matrices.inner,
                         .cols = matrices.width,
                         .depth = matrices.depth,
                         .choices = choices,
                         .experts = n};
  launch_grouped(product, device_.stream());
  product.gated = false;
  product.x = product.out;
  product.x_stride = matrices.inner;
  product.order = nullptr;
  product.out = output_.fit<Bf16>(count * static_cast<size_t>(matrices.depth));
  product.out_stride = matrices.depth;
  product.cols = out.cols;
  product.depth = matrices.inner;
  launch_grouped(product, device_.stream());
  launch(AddExperts{.rows = out.rows,
                    .cols = out.cols,
                    .from = {product.out, product.out_stride, true},
                    .places = grouping.places,
                    .weights = routing.weights,
                    .top_k = top_k,
                    .adds = into == Into::add,
                    .out = view(out)},
         device_.stream());
}

}  // namespace unmask::cuda
