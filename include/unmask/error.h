// What goes wrong, as the C++ interface tells it.
#pragma once

#include <stdexcept>
#include <string>

#include "unmask/export.h"

/// The types of the interface, which are used as unmask::Model and so on. The number is that of the
/// binary interface: programs of two of them may meet in one process.
namespace unmask_v0 {

/// What an error is about, for programs; the message says it to people. The values are those of
/// c.h.
enum class ErrorCode : int {
  invalid = 1,        // an argument, an option or a file cannot be used
  chat_template = 2,  // the model has none, or one that cannot be run; name one, or ask raw
  device = 3,         // there is no such device, or it cannot compute this
  weights = 4,        // weights of this type cannot be had here
  special_token = 5,  // the files do not say which token masks or ends a text; LoadOptions can
  schema = 6,         // a JSON schema that cannot be promised; the message names the place in it
  not_finite = 7,     // computing gave no numbers; other weights (f32) may
  memory = 8,         // more than there is, or than was allowed
  cancelled = 9,      // somebody ended the work
  system = 10,        // the system refuses threads or files
  misuse = 11,        // a call that its documentation excludes
  defect = 12         // of unmask itself
};

/// Everything the library throws, but std::bad_alloc and what a callback throws. what() is one
/// line: where, what was found, what was expected.
class UNMASK_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message);
  ~Error() override;
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace unmask_v0

namespace unmask {
using namespace unmask_v0;  // NOLINT(google-build-using-namespace)
}
