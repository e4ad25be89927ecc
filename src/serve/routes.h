// What is served under which path.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "serve/api/context.h"
#include "serve/api_error.h"

namespace unmask {

struct Route {
  std::string_view path;    // with or without /v1 before it
  std::string_view method;  // GET also answers HEAD
  Prepared (*prepare)(const http::Request&, const ApiContext&);
};

/// Routes that need a model, answered on the preparation thread.
std::span<const Route> routes();

/// `path` without a leading /v1.
std::string_view plain_path(std::string_view path);

/// What to say to `method` on `path` when nothing serves it: 405 naming the method that is, 404
/// naming what to use instead where people look for it. Nothing when a route serves it.
struct Misrouted {
  ApiError error;
  std::string allow{};  // of 405
};
std::optional<Misrouted> misrouted(std::string_view method, std::string_view path);

/// The path in metrics and logs, "other" for those that clients make up.
std::string_view endpoint_label(std::string_view path);

}  // namespace unmask
