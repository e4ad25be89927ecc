// One of several processes that share a list of items.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace unmask {

struct Shard {
  int index = 0;
  int count = 1;

  bool whole() const { return count == 1; }
  /// Items go round: neighbours often cost alike.
  bool has(int item) const { return item % count == index; }
  /// "2-of-4", for names of files.
  std::string name() const;
};

/// "2/4": the second of four. Throws Error for anything else.
Shard parse_shard(std::string_view text);

/// The place that mpirun or srun gave this process among the processes it started; none for a
/// process that was started alone. Reads the environment (Open MPI, PMI, Slurm).
std::optional<Shard> launched_shard();

}  // namespace unmask
