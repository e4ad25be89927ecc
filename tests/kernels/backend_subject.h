// The backends that the common suite holds to the reference.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace unmask::testing {

struct BackendSubject {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
  bool narrow_weights = false;    // products round them to bfloat16
  bool narrow_inputs = false;     // and their other operand
  bool narrow_attention = false;  // rounds queries, keys, values and weights to it
  bool narrow_results = false;    // rounds what attention gives to it

  friend void PrintTo(const BackendSubject& subject, std::ostream* out) { *out << subject.name; }
};

/// Every file that knows a backend adds it here before main() begins.
inline std::vector<BackendSubject>& backend_subjects() {
  static std::vector<BackendSubject> all;
  return all;
}
inline bool add_subject(BackendSubject subject) {
  backend_subjects().push_back(std::move(subject));
  return true;
}

}  // namespace unmask::testing
