// What a block cache computes anew when a block begins. The published methods compute everything,
// which with a confidence threshold is most of their work; these options compute less of it:
// a window around the block (Polestar, arXiv 2607.14107), the prompt every few blocks (dLLM-Cache,
// arXiv 2506.06295), no masks behind the block (ES-dLLM, arXiv 2603.10088).
#pragma once

#include <vector>

#include "methods/options.h"
#include "model/method.h"

namespace unmask {

struct RefreshOptions {
  bool window = false;        // only what is near the block, but for every `full_every`-th block
  int before = 2;             // of the window, in blocks
  int after = 1;              // of the window, in blocks
  int full_every = 4;         // blocks; the first of them computes everything
  int window_every = 0;       // > 0: instead, the last of so many blocks computes the window only
  int prompt_every = 1;       // the prompt is computed with every so many blocks
  bool suffix = true;         // masks behind the block are computed again
  int prompt_chunk = 0;       // > 0: the prompt has been computed before the first block, as far as
                              // it has whole chunks of so many positions
  bool whole_prompt = false;  // all of the prompt or nothing of it, whatever the window says

  bool everything() const { return !window && prompt_every == 1 && suffix; }
};

/// refresh (full, window), before, after, full_every, window_every, prompt_every, suffix (fresh,
/// keep). Throws Error where options of the window stand without it.
RefreshOptions read_refresh(Options& options);
/// The same without after and suffix, for methods that compute what follows the block in every
/// step.
RefreshOptions read_refresh_before(Options& options);

/// Keeps account of one sequence: which rows the pass that begins a block computes. Whatever the
/// options say, these are among them: the block, positions that were decided since they were
/// computed last (their keys and values are still a mask's), positions that never were computed.
class RefreshRows {
 public:
  /// `row_before`: the row before the block belongs to it, because it predicts the block's first
  /// position.
  RefreshRows(const RefreshOptions& options, bool row_before)
      : options_(options), row_before_(row_before) {}

  /// Of the block of `step`: chosen in its first step, the same in its later ones.
  const Rows& of(const Step& step);
  /// Before the first step: the first `positions` are computed.
  void resume(int positions) { due_.assign(static_cast<size_t>(positions), false); }
  /// To be told of every step's plan, those with the rows of of() included.
  void computed(const Step& step, const StepPlan& plan);

 private:
  void note(const Step& step);
  Rows choose(const Step& step) const;
  bool wants(const Step& step, int position) const;

  RefreshOptions options_;
  bool row_before_;
  int block_ = -1;         // its number, from 0
  int begin_ = -1;         // of the block
  Rows rows_;              // of of()
  std::vector<bool> due_;  // by position: decided after it was computed, or never computed
};

}  // namespace unmask
