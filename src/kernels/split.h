// How ranks share out the weights of a matrix: each keeps some of its outputs, so that no sum is
// ever cut and any number of ranks computes the bits of one.
#pragma once

#include "kernels/host_matrix.h"
#include "ranks/columns.h"

namespace unmask {

/// The outputs of `matrix` by rank: whole panels where there are enough of them or it lies in
/// panels, whole heads where its heads are interleaved.
Cut cut_outputs(const HostMatrix& matrix, int ranks);

/// The rows `outputs` of a matrix, which begin and end where cut_outputs() cuts.
HostMatrix part_of(const HostMatrix& matrix, Range outputs);

/// What `rank` keeps of a matrix.
inline HostMatrix own_part(const HostMatrix& matrix, const Communicator& ranks) {
  return part_of(matrix, cut_outputs(matrix, ranks.size()).of(ranks.rank()));
}

}  // namespace unmask
