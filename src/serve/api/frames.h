// The canvas of a stream as differences, for whoever wants to watch it.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "io/text/tokenizer.h"
#include "serve/api/envelope.h"
#include "serve/schedule/work.h"

namespace unmask {

/// Frames of one choice. Positions count from the answer's first. The sum of all commits is the
/// canvas; steps that come faster than the viewer's rate share a frame.
class Frames {
 public:
  struct Options {
    int choice = 0;
    int begin = 0;  // position of the canvas that counts as 0
    double max_fps = 20;
  };

  /// `tokenizer` outlives this.
  Frames(const Tokenizer& tokenizer, Options options) : tokenizer_(tokenizer), options_(options) {}

  /// {"type":"canvas",...}: what is given before anything is decided.
  Json canvas(const Request& request, TokenId mask_id) const;
  /// Takes a step over; {"type":"frame",...} when one is due, else null. `full`: the client is
  /// slow, so that frames wait and merge.
  Json step(const Progress& progress, bool full);
  /// What has not been shown yet, null when there is nothing.
  Json rest();
  /// {"type":"end",...}
  Json end(const Result& result) const;

 private:
  Json frame();

  const Tokenizer& tokenizer_;
  Options options_;
  Progress last_;
  Json commits_ = Json::array();
  int passes_ = 0;
  std::chrono::steady_clock::time_point shown_{};
};

}  // namespace unmask
