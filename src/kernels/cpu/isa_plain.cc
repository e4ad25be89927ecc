// The kernels compiled for any x86-64 processor.
#include "kernels/cpu/table.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 16;
#include "kernels/cpu/simd.h"
// order matters: the kernels are written in terms of simd.h
#include "kernels/cpu/attention.inc"
#include "kernels/cpu/rows.inc"

}  // namespace

const KernelTable& plain_table() {
  static const KernelTable table{
      .name = "plain",
      .key_panel = kKeyPanel,
      .row_math = {argmax, exp_sums},
      .rms_norm = rms_norm,
      .rope = rope,
      .swiglu = swiglu,
      .add = add,
      .to_bf16 = to_bf16_row,
      .pack_keys = pack_keys,
      .pack_values = pack_values,
      .attention_scratch = attention_scratch,
      .importance_scratch = importance_scratch,
      .attention = attention,
  };
  return table;
}

}  // namespace unmask::cpu
