#include "api/c/handles.h"

#include <array>
#include <cstring>
#include <new>

namespace unmask_v0 {

namespace {

/// The message of a thread's last error: storage that needs no memory when there is none.
thread_local std::array<char, 1024> last_message{};

void keep(const char* message) noexcept {
  std::strncpy(last_message.data(), message, last_message.size() - 1);
}

}  // namespace

void refuse_handle(const char* what) {
  throw Error(ErrorCode::misuse,
              std::string("[c] ") + what + ": found NULL or another kind of handle");
}

Cancellation cancellation_of(const unmask_cancellation* handle) {
  return handle == nullptr ? Cancellation() : held(handle, "cancellation");
}

unmask_status note_error() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    keep(error.what());
    return static_cast<unmask_status>(error.code());
  } catch (const std::bad_alloc&) {
    keep("[memory] there is not enough");
    return UNMASK_MEMORY;
  } catch (const std::exception& error) {
    keep(error.what());
    return UNMASK_DEFECT;
  } catch (...) {
    keep("[defect] an exception without a message");
    return UNMASK_DEFECT;
  }
}

}  // namespace unmask_v0

const char* unmask_version(void) { return unmask_v0::version(); }
const char* unmask_error_message(void) { return unmask_v0::last_message.data(); }
