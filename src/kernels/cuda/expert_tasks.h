// A feed-forward of experts as work for the device, which finds out itself who takes what: the
// logits of a router, choices, rows sorted by expert, the products of all experts in two launches,
// weighted sums. The host sees none of it: a round trip a layer would take as long as some of the
// layers, and no step could be recorded (docs/cuda.md, "Experts").
#pragma once

#include <map>
#include <span>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/experts.h"
#include "kernels/cuda/products.h"
#include "kernels/experts.h"
#include "kernels/into.h"

namespace unmask::cuda {

class ExpertTasks {
 public:
  /// Both must outlive it.
  ExpertTasks(Device& device, Products& products) : device_(device), products_(products) {}

  /// Backend::experts without a shared expert. x has columns up to the experts' depth. Throws Error
  /// where the kernels have no room for so many experts.
  void run(const Operand& x, int rows, const Experts& experts, Tensor out, Into into);

 private:
  /// Where a call's matrices lie.
  struct Matrices {
    const DeviceExpert* table;  // on the device
    const Bf16* router;         // [kRouterParts * experts, depth]
    int depth;                  // of gates and ups
    int inner;                  // of downs
    int width;                  // rows of a gate
  };
  const Bf16* split(Tensor router, int depth);
  /// The experts' matrices on the device: found again by their addresses there, which are all that
  /// it holds.
  const DeviceExpert* table(std::span<const GatedMaps> maps);
  void run_some(const Operand& x, const Experts& experts, const Matrices& matrices, Tensor out,
                Into into);

  Device& device_;
  Products& products_;
  std::map<std::vector<const Bf16*>, Buffer> tables_;
  Scratch router_{device_};   // in bfloat16
  Scratch logits_{device_};   // [rows, kRouterParts * experts]
  Scratch chosen_{device_};   // [rows, top_k], as are the next three
  Scratch weights_{device_};  // of the chosen
  Scratch order_{device_};
  Scratch places_{device_};
  Scratch begins_{device_};  // [experts + 1]
  Scratch inner_{device_};   // [choices, width], padded, in bfloat16
  Scratch output_{device_};  // [choices, dim], padded, in bfloat16
};

}  // namespace unmask::cuda
