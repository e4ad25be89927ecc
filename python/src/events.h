// Steps that are kept beyond their callback.
#pragma once

#include <unmask/unmask.h>
#include <vector>

namespace unmask::python {

/// A StepEvent with what it points to.
struct KeptEvent {
  explicit KeptEvent(const StepEvent& e)
      : event(e),
        tokens(e.tokens.begin(), e.tokens.end()),
        decided(e.decided.begin(), e.decided.end()) {
    event.tokens = {};
    event.decided = {};
  }

  StepEvent event;  // without its spans
  std::vector<Token> tokens;
  std::vector<Decision> decided;
};

}  // namespace unmask::python
