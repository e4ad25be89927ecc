// What a client hears when a request cannot be answered.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace unmask {

/// An error reply in OpenAI's shape: an HTTP status and
/// {"error":{"message","type","param","code"}}.
struct ApiError : std::exception {
  ApiError(int status_code, std::string type_name, std::string error_code, std::string text,
           std::optional<std::string> parameter = {})
      : status(status_code),
        type(std::move(type_name)),
        code(std::move(error_code)),
        message(std::move(text)),
        param(std::move(parameter)) {}

  const char* what() const noexcept override { return message.c_str(); }

  int status;
  std::string type;
  std::string code;
  std::string message;
  std::optional<std::string> param;  // the key at fault, dotted: "diffusion.steps"
  int retry_after = 0;               // seconds, where waiting helps
};

/// 400 for a value; `param` names its key.
inline ApiError invalid_value(std::string param, std::string message,
                              std::string code = "invalid_value") {
  return {400, "invalid_request_error", std::move(code), std::move(message), std::move(param)};
}

/// 404.
inline ApiError not_found(std::string message, std::string code = "not_found",
                          std::optional<std::string> param = {}) {
  return {404, "invalid_request_error", std::move(code), std::move(message), std::move(param)};
}

/// 503 while the server ends.
inline ApiError shutting_down() {
  return {503, "server_error", "shutting_down", "[serve] the server is shutting down; try later"};
}

}  // namespace unmask
