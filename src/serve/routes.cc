#include "serve/routes.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "serve/api/chat.h"
#include "serve/api/completions.h"
#include "serve/api/decisions.h"
#include "serve/api/infill.h"
#include "serve/api/models.h"
#include "serve/api/score.h"
#include "serve/api/systemone.h"
#include "serve/api/text_tools.h"
#include "serve/page.h"

namespace unmask {

namespace {

constexpr Route kRoutes[] = {
    {"/models", "GET", list_models},
    {"/props", "GET", show_props},
    {"/chat/completions", "POST", prepare_chat},
    {"/completions", "POST", prepare_completion},
    {"/fim/completions", "POST", prepare_completion},
    {"/infill", "POST", prepare_infill},
    {"/decisions", "POST", prepare_decisions},
    {"/systemone", "POST", prepare_systemone},
    {"/score", "POST", prepare_score},
    {"/tokenize", "POST", prepare_tokenize},
    {"/detokenize", "POST", prepare_detokenize},
    {"/apply-template", "POST", prepare_apply_template},
};

/// Answered at once, with or without a model.
constexpr std::array<std::string_view, 2> kPlain{"/health", "/metrics"};

/// What other servers have, and what to use here.
constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
    {"/responses", "POST /v1/chat/completions"},
    {"/messages", "POST /v1/chat/completions"},
    {"/api/chat", "POST /v1/chat/completions"},
    {"/api/generate", "POST /v1/completions"},
    {"/api/tags", "GET /v1/models"},
    {"/completion", "POST /v1/completions"},
};

const Route* find_route(std::string_view path) {
  const auto* const found = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                         [&](const Route& r) { return r.path == path; });
  return found == std::end(kRoutes) ? nullptr : found;
}

bool is_plain(std::string_view path) {
  return std::find(kPlain.begin(), kPlain.end(), path) != kPlain.end() ||
         find_page_file(path) != nullptr;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

std::string_view plain_path(std::string_view path) {
  return path.starts_with("/v1/") ? path.substr(3) : path;
}

std::optional<Misrouted> misrouted(std::string_view method, std::string_view full) {
  const std::string_view path = plain_path(full);
  const Route* route = find_route(path);
  const std::string_view served = route != nullptr ? route->method : is_plain(path) ? "GET" : "";
  if (served == method || (served == "GET" && method == "HEAD")) return std::nullopt;
  if (!served.empty()) {
    ApiError error{405, "invalid_request_error", "method_not_allowed",
                   fmt::format("[request] {}: found {}, expected {}", printable(full),
                               printable(method), served)};
    return Misrouted{std::move(error), served == "GET" ? "GET, HEAD, OPTIONS" : "POST, OPTIONS"};
  }
  std::string hint;
  for (const auto& [known, instead] : kElsewhere) {
    if (path == known) hint = fmt::format("; use {}", instead);
  }
  if (path == "/embeddings" || path == "/rerank") hint = ": this model has no such output";
  return Misrouted{
      not_found(fmt::format("[request] {}: there is no such path{}", printable(full), hint))};
}

std::string_view endpoint_label(std::string_view full) {
  const std::string_view path = plain_path(full);
  if (const Route* route = find_route(path)) return route->path;
  const auto* const plain = std::find(kPlain.begin(), kPlain.end(), path);
  if (plain != kPlain.end()) return *plain;
  return find_page_file(path) != nullptr ? "page" : "other";
}

}  // namespace unmask
