// Tokens that the device chooses from rows of logits.
#pragma once

#include "kernels/cuda/index_lists.h"
#include "kernels/cuda/row_work.h"
#include "kernels/cuda/tensor_view.h"
#include "kernels/token_query.h"

namespace unmask::cuda {

/// True when the device chooses tokens itself: the likeliest one, of an unfiltered distribution.
bool is_plain(const TokenQuery& query);

/// A plain query of rows of logits, [rows, vocab], as work for the device.
Choose choose_work(IndexLists& lists, Tensor logits, const TokenQuery& query, Choice* out);

/// Throws Error where a row of logits held no number.
void check_token(int token);

}  // namespace unmask::cuda
