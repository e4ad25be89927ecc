// What the handles of the C interface are, and how exceptions become statuses.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "unmask/c.h"
#include "unmask/unmask.h"

namespace unmask_v0 {

/// Begins every handle, so that one of another kind is noticed.
enum class Kind : uint32_t {
  model = 0x756d6d6f,
  request = 0x756d7265,
  result = 0x756d7273,
  engine = 0x756d656e,
  cancellation = 0x756d6361,
  none = 0
};

template <typename T, Kind k>
struct Handle {
  explicit Handle(T held) : value(std::move(held)) {}
  ~Handle() { kind = Kind::none; }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  static constexpr Kind kKind = k;
  volatile Kind kind = k;  // volatile: what the destructor writes is read by later mistakes
  T value;
};

}  // namespace unmask_v0

struct unmask_model : unmask_v0::Handle<unmask_v0::Model, unmask_v0::Kind::model> {
  using Handle::Handle;
};
struct unmask_request : unmask_v0::Handle<unmask_v0::Request, unmask_v0::Kind::request> {
  using Handle::Handle;
};
struct unmask_result : unmask_v0::Handle<unmask_v0::Result, unmask_v0::Kind::result> {
  using Handle::Handle;
};
struct unmask_engine : unmask_v0::Handle<unmask_v0::Engine, unmask_v0::Kind::engine> {
  using Handle::Handle;
};
struct unmask_cancellation
    : unmask_v0::Handle<unmask_v0::Cancellation, unmask_v0::Kind::cancellation> {
  using Handle::Handle;
};

namespace unmask_v0 {

/// Whether a handle is what its type says.
template <typename H>
bool is_valid(const H* handle) {
  return handle != nullptr && handle->kind == H::kKind;
}

/// Throws Error (misuse) naming `what`.
[[noreturn]] void refuse_handle(const char* what);

/// What a handle holds. Throws Error (misuse) for NULL and for handles of another kind.
template <typename H>
auto& held(H* handle, const char* what) {
  if (!is_valid(handle)) refuse_handle(what);
  return handle->value;
}

/// A pointer that may not be NULL. Throws Error (misuse).
template <typename T>
T* given(T* pointer, const char* what) {
  if (pointer == nullptr) refuse_handle(what);
  return pointer;
}

/// The cancellation of a handle, or for NULL one that nobody raises.
Cancellation cancellation_of(const unmask_cancellation* handle);

/// Sets options from texts NAME=VALUE. Throws Error.
template <typename Options>
Options options_from(const char* const* texts) {
  Options options;
  for (; texts != nullptr && *texts != nullptr; ++texts) {
    const std::string_view text = *texts;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
      throw Error(ErrorCode::invalid, "[options] found an option without '=', expected NAME=VALUE");
    }
    options.set(text.substr(0, equals), text.substr(equals + 1));
  }
  return options;
}

/// Hands out as much of a struct as its caller knows. Throws Error (misuse) where that is less than
/// its size.
template <typename Info>
void copy_known(const Info& all, Info* to) {
  const size_t size = std::min(to->size, sizeof all);
  if (size < sizeof to->size) {
    throw Error(ErrorCode::misuse, "[c] size: found 0, expected sizeof the struct");
  }
  std::memcpy(to, &all, size);
}

/// Frees a handle unless it is of another kind.
template <typename H>
void free_handle(H* handle) {
  if (is_valid(handle)) delete handle;
}

/// Keeps the message of the exception that is being handled, and returns its status.
unmask_status note_error() noexcept;

/// Runs `work`; what it throws becomes a status and a message.
template <typename Work>
unmask_status guarded(const Work& work) noexcept {
  try {
    work();
    return UNMASK_OK;
  } catch (...) {
    return note_error();
  }
}

}  // namespace unmask_v0
