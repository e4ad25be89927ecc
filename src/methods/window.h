// Sliding window (arXiv 2004.05150) and StreamingLLM (arXiv 2309.17453) in whole blocks: patterns
// that depend on positions only.
#pragma once

#include "model/method.h"

namespace unmask {

class Options;

class Window final : public Method {
 public:
  struct Settings {
    int window = 256;  // positions around a query that it sees, half of them on either side
    double share = 0;  // > 0: instead of `window`, the window's share of the sequence
    int sinks = 0;     // positions at the beginning that every query sees
    int block = 32;    // positions in a block; windows and sinks are rounded up to whole blocks
    double skip = 0;   // share of the steps that run full attention
  };
  /// Reads window, share, block and skip, and sinks where the method has them.
  static Settings read(Options& options, bool with_sinks);

  Window(std::string_view name, const Settings& settings, int n_heads)
      : name_(name), settings_(settings), n_heads_(n_heads) {}

  std::string_view name() const override { return name_; }
  Attention attend(AttendScope& scope) override;

 private:
  BlockPattern pattern(int length) const;

  std::string_view name_;
  Settings settings_;
  int n_heads_;
  int length_ = 0;  // of the canvas that the pattern is for
  BlockPattern pattern_;
};

}  // namespace unmask
