// A model that several ranks load together: all have it, or none.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ranks/communicator.h"

namespace unmask {

/// What goes wrong on another rank, or what ranks do not have in common.
class RankError : public Error {
 public:
  using Error::Error;
};

/// What must be the same on all ranks, by name.
using RankFacts = std::vector<std::pair<std::string, std::string>>;

/// Lives while this rank opens and loads its model; rank 0's tells the others to begin with theirs.
/// When it ends early, because something was thrown here, the others get a RankError.
class JointLoading {
 public:
  /// `facts`: of the programs; the model adds its own. `verifies`: see LeadOptions. `ranks`
  /// outlives the model.
  JointLoading(Communicator& ranks, RankFacts facts, bool verifies);
  ~JointLoading();
  JointLoading(const JointLoading&) = delete;
  JointLoading& operator=(const JointLoading&) = delete;

  Communicator& ranks() const { return ranks_; }
  bool verifies() const { return verifies_; }

  /// Before the weights: throws RankError with both values where a rank has other facts.
  void agree(RankFacts model);
  /// After them.
  void finish();

 private:
  enum class State { opening, loading, over };
  void exchange(State next, bool failed, const RankFacts& facts);

  Communicator& ranks_;
  RankFacts facts_;
  bool verifies_;
  State state_ = State::opening;
};

/// Another rank than 0 waits for the next model to load; false when there is none any more.
bool wait_for_loading(Communicator& ranks);
/// Rank 0 tells the others that there is none.
void end_loading(Communicator& ranks);

}  // namespace unmask
