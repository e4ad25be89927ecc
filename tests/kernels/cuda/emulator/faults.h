// Mistakes that instructions can be told to make. Each stands for one that is easily made in a
// kernel; tests run correct kernels on faulty instructions to show that the mistake would be found.
#pragma once

#include <cstdint>

namespace unmask::cuda::emulator {

enum class Fault : uint8_t {
  none,
  swapped_distances,     // of a matrix descriptor
  wrong_depth_step,      // descriptors move twice as far along the depth
  no_product_fence,      // products start without wgmma_fence()
  no_product_wait,       // results are taken before they are there
  late_product_wait,     // one group fewer is waited for
  no_full_wait,          // consumers do not wait for tiles
  no_empty_wait,         // the loader does not wait for room
  flipped_parity,        // mbarriers are waited for in the wrong phase
  extra_arrival,         // mbarriers expect one arrival more than there are
  missing_arrival,       // ... or one fewer
  half_the_bytes,        // announced of a copy
  swapped_turns,         // named barriers 1 and 2 where they are waited for
  no_warpgroup_barrier,  // barriers of 128 threads do nothing
  no_proxy_fence,        // writes reach the copy engine by luck
  no_store_wait,         // memory is given back while it is stored
  plain_store,           // outputs are stored as if they lay unswizzled
  wrong_shuffle,         // with lane ^ 4 instead of lane ^ 2
  no_small_copy_wait,    // cp.async is not waited for
  no_block_barrier,      // __syncthreads() does nothing
  not_transposed,        // ldmatrix.trans does not transpose
};

}  // namespace unmask::cuda::emulator
