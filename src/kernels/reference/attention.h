// Attention as its formula, for the oracle.
#pragma once

#include "kernels/backend.h"

namespace unmask {

void reference_attention(const AttentionTask& task, const HeadShape& shape);

}  // namespace unmask
