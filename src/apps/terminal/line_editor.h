// Lines typed at a terminal: editing, history, completion, pastes of any length. The work is
// libedit's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/terminal/line_history.h"

namespace unmask {

/// Takes over the terminal of standard input and standard error as long as it lives. Also between
/// two lines nothing is echoed and no typed line is cut: canonical mode keeps 4,095 bytes of one.
class LineEditor {
 public:
  enum class End {
    line,       // entered
    cancelled,  // Ctrl-C: what was typed is gone
    closed      // Ctrl-D on an empty line, or a signal that ends the process
  };
  struct Line {
    End end = End::closed;
    std::string text;       // may have line breaks when it was pasted
    bool was_empty = true;  // when it was cancelled
  };

  /// `words` are completed at the beginning of a line.
  LineEditor(LineHistory history, std::vector<std::string> words);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  Line read(const std::string& prompt);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace unmask
