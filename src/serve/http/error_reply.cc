#include "serve/http/error_reply.h"

#include <nlohmann/json.hpp>

namespace unmask::http {

using Json = nlohmann::ordered_json;

std::string_view error_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 429: return "rate_limit_error";
    default: return status < 500 || status == 501 ? "invalid_request_error" : "server_error";
  }
}

Reply error_reply(int status, std::string_view code, std::string_view message,
                  std::string_view param) {
  Json error;
  error["message"] = message;
  error["type"] = error_type(status);
  error["param"] = param.empty() ? Json() : Json(param);
  error["code"] = code;
  return {.status = status,
          .body = Json{{"error", std::move(error)}}.dump(-1, ' ', false,
                                                         Json::error_handler_t::replace)};
}

}  // namespace unmask::http
