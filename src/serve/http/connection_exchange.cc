#include "serve/http/connection_exchange.h"

#include <algorithm>

#include "core/error.h"
#include "serve/http/error_reply.h"
#include "serve/http/reply_text.h"

namespace unmask::http {

namespace {

Reply internal_error(const std::string& id) {
  return error_reply(
      500, "internal_error",
      fmt::format("[server] request {}: found a fault of the server, expected none", id));
}

/// True when a list of words, as in Connection, has this one.
bool lists(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view entry = text.substr(0, comma);
    entry.remove_prefix(std::min(entry.find_first_not_of(" \t"), entry.size()));
    entry = entry.substr(0, entry.find_last_not_of(" \t") + 1);
    if (beast::iequals(entry, word)) return true;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return false;
}

}  // namespace

Headers reply_headers(const std::string& id, bool keep_alive) {
  Headers headers{{"X-Request-Id", id}, {"Cache-Control", "no-store"}};
  if (!keep_alive) headers.push_back({"Connection", "close"});
  return headers;
}

std::string reply_text(const Reply& reply, Headers headers, bool body) {
  const bool full = has_body(reply.status);
  if (full && !reply.body.empty()) headers.push_back({"Content-Type", reply.content_type});
  if (full) headers.push_back({"Content-Length", std::to_string(reply.body.size())});
  std::string text = head_text(reply.status, headers);
  return full && body ? text + reply.body : text;
}

ConnectionExchange::ConnectionExchange(std::shared_ptr<Connection> connection, Request request,
                                       std::chrono::steady_clock::time_point begin)
    : connection_(std::move(connection)),
      request_(std::move(request)),
      id_(random_id()),
      begin_(begin) {}

ConnectionExchange::~ConnectionExchange() {
  if (!open()) return;
  try {
    fault("let go without an answer");
  } catch (const std::exception&) {  // no memory for words: the deadline ends the connection
  }
}

bool ConnectionExchange::keep_alive() const {
  const auto asks_to_close = [](const Header& header) {
    return header.name == "connection" && lists(header.value, "close");
  };
  return request_.version == 11 && connection_->may_stay() &&
         std::ranges::none_of(request_.headers, asks_to_close);
}

Headers ConnectionExchange::common_headers() const {
  Headers headers = reply_headers(id_, keep_alive());
  const auto& more = connection_->hub()->service.headers;
  if (more) std::ranges::move(more(request_), std::back_inserter(headers));
  return headers;
}

void ConnectionExchange::reply(Reply reply) {
  if (!open()) return;
  UNMASK_CHECK(!streaming_, "a reply follows the beginning of a stream");
  const bool stays = keep_alive();
  Headers headers = common_headers();
  std::ranges::copy(reply.headers, std::back_inserter(headers));
  end(reply.status, reply_text(reply, std::move(headers), request_.method != "HEAD"), stays);
}

void ConnectionExchange::start_stream(const std::string& content_type, const Headers& more) {
  if (!open()) return;
  UNMASK_CHECK(!streaming_, "a stream begins twice");
  Headers headers = common_headers();
  std::ranges::copy(more, std::back_inserter(headers));
  headers.push_back({"Content-Type", content_type});
  if (request_.version == 11) headers.push_back({"Transfer-Encoding", "chunked"});
  connection_->send(head_text(200, headers));
  streaming_ = true;
  status_ = 200;
}

void ConnectionExchange::write(std::string bytes) {
  if (!open()) return;
  UNMASK_CHECK(streaming_, "a stream is written before it begins");
  // An empty chunk would be the last one.
  if (bytes.empty() || request_.method == "HEAD") return;
  if (queued_bytes() + bytes.size() > connection_->hub()->limits.queue) {
    return connection_->close(Gone::slow_client);
  }
  connection_->send(request_.version == 11 ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes)
                                           : std::move(bytes));
}

void ConnectionExchange::finish() {
  if (!open()) return;
  UNMASK_CHECK(streaming_, "a stream ends before it begins");
  const bool chunks = request_.version == 11 && request_.method != "HEAD";
  end(status_, chunks ? "0\r\n\r\n" : "", keep_alive());
}

void ConnectionExchange::end(int status, std::string last_bytes, bool keep_alive,
                             const std::string& fault) {
  ended_ = true;
  status_ = status;
  on_gone_ = nullptr;
  report(fault);  // first, so that who has the answer finds it counted
  connection_->send(std::move(last_bytes));
  connection_->answered(keep_alive);
}

void ConnectionExchange::report(const std::string& fault) {
  const auto& observer = connection_->hub()->service.observer;
  if (!observer) return;
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin_;
  observer({id_, request_.method, request_.path, peer(), status_, gone_, fault, time.count()});
}

void ConnectionExchange::on_gone(std::function<void(Gone)> callback) {
  if (gone_) return callback(*gone_);
  if (!ended_) on_gone_ = std::move(callback);
}

std::function<void(Gone)> ConnectionExchange::gone(Gone reason) {
  if (!open()) return {};
  gone_ = reason;
  report({});
  return std::exchange(on_gone_, nullptr);
}

void ConnectionExchange::fault(const std::string& what) {
  if (!open()) return;
  if (streaming_) {
    ended_ = true;
    on_gone_ = nullptr;
    report(what);
    return connection_->close(Gone::disconnect);
  }
  // Without the service's headers, which may be what has failed.
  end(500,
      reply_text(internal_error(id_), reply_headers(id_, /*keep_alive=*/false),
                 request_.method != "HEAD"),
      /*keep_alive=*/false, what);
}

}  // namespace unmask::http
