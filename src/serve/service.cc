#include "serve/service.h"

#include <csignal>
#include <utility>

#include "core/error.h"
#include "serve/api/envelope.h"
#include "serve/page.h"
#include "serve/routes.h"

namespace unmask {

namespace {

constexpr double kLongestStall = 60;  // seconds without a sign of the engine while it has work

ApiError loading() { return {503, "unavailable_error", "loading", "Loading model"}; }

ApiError internal_error(const std::string& id) {
  return {500, "server_error", "internal_error",
          fmt::format("[serve] something went wrong; the server's log has it under {}", id)};
}

http::Reply health(const Scheduler* scheduler) {
  if (scheduler == nullptr) {
    // The form of llama.cpp's server, which clients wait for.
    return {.status = 503,
            .body = compact(
                {{"error",
                  {{"code", 503}, {"message", "Loading model"}, {"type", "unavailable_error"}}}})};
  }
  if (scheduler->stalled() > kLongestStall) {
    return error_reply({503, "server_error", "stalled", "[serve] the engine does not answer"});
  }
  return json_reply({{"status", "ok"}});
}

http::Reply page_reply(const PageFile& file, const http::Head& head) {
  http::Reply reply{.body = std::string(file.bytes),
                    .content_type = std::string(file.content_type),
                    .headers = {{"ETag", file.etag},
                                {"Content-Security-Policy", std::string(kPagePolicy)},
                                {"X-Content-Type-Options", "nosniff"},
                                {"Referrer-Policy", "no-referrer"},
                                {"Cross-Origin-Resource-Policy", "same-origin"}}};
  const std::string* known = head.find("if-none-match");
  if (known != nullptr && *known == file.etag) {
    reply.status = 304;
    reply.body.clear();
  }
  return reply;
}

}  // namespace

Service::Service(ServiceOptions options)
    : options_(std::move(options)),
      metrics_({options_.version, options_.model, options_.device}),
      access_(options_.access),
      server_(options_.limits, callbacks()),
      worker_(std::make_unique<Worker>()) {}

Service::~Service() {
  worker_.reset();  // it posts to the server and reads the context
}

http::Service Service::callbacks() {
  return {
      .gate = [this](const http::Head& head, const http::Peer& peer) { return gate(head, peer); },
      .headers = [this](const http::Head& head) { return access_.headers(head); },
      .handler = [this](const ExchangePtr& exchange) { handle(exchange); },
      .observer = [this](const http::Answered& answered) { observe(answered); }};
}

void Service::open(Model& model, ApiContext context) {
  server_.post([this, &model, context = std::move(context)]() mutable {
    if (ending_) return;
    context_ = std::move(context);
    metrics_.set_memory_budget(context_->memory_limit);
    EngineOptions& engine = options_.scheduler.engine;
    engine.memory_limit = context_->memory_limit;
    engine.prefixes = &model.prefixes();
    engine.planned_bytes = [costs = context_->costs](const Request& r) {
      return costs.request_bytes(r);
    };
    scheduler_ = std::make_unique<Scheduler>(
        model.transformer(), options_.scheduler, metrics_,
        [this](std::function<void()> work) { server_.post(std::move(work)); });
    for (size_t owner = 0; owner < options_.scheduler.owners; ++owner) {
      desks_.push_back({*context_, *scheduler_, metrics_, streams_, owner});
    }
  });
}

void Service::run() {
  server_.every(std::chrono::milliseconds(500), [this] {
    streams_.break_silence(options_.ping);
    metrics_.set_connections(server_.connections());
  });
  const auto told_to_end = [this](int) {
    if (ending_ && options_.impatient) options_.impatient();
    end();
  };
  server_.on_signal({SIGINT, SIGTERM}, told_to_end);
  struct sigaction hang_up {};
  sigaction(SIGHUP, nullptr, &hang_up);
  if (hang_up.sa_handler != SIG_IGN) server_.on_signal({SIGHUP}, told_to_end);  // else run by nohup
  server_.run();
}

void Service::shut_down() {
  server_.post([this] { end(); });
}

void Service::end() {
  if (std::exchange(ending_, true)) return;
  server_.stop_accepting();
  if (scheduler_) scheduler_->shut_down(options_.grace, [] {});
  // What cannot even take its refusal by then is cut off.
  server_.after(options_.grace + std::chrono::seconds(2), [this] { server_.stop(); });
}

std::optional<http::Reply> Service::gate(const http::Head& head, const http::Peer& peer) {
  if (auto refusal = access_.judge(head, peer)) return refusal;
  if (const auto wrong = misrouted(head.method, head.path)) {
    http::Reply reply = error_reply(wrong->error);
    if (!wrong->allow.empty()) reply.headers.push_back({"Allow", wrong->allow});
    return reply;
  }
  if (head.method == "POST") return http::refuse_content(head);
  return std::nullopt;
}

void Service::handle(const ExchangePtr& exchange) {
  if (answer_at_once(exchange)) return;
  if (ending_) {
    exchange->reply(error_reply(shutting_down()));
  } else if (desks_.empty()) {
    exchange->reply(error_reply(loading()));
  } else {
    prepare(exchange);
  }
}

bool Service::answer_at_once(const ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const std::string_view path = plain_path(request.path);
  if (path == "/health") {
    exchange->reply(health(scheduler_.get()));
  } else if (path == "/metrics") {
    exchange->reply({.body = metrics_.text(), .content_type = "text/plain; version=0.0.4"});
  } else if (const PageFile* file = find_page_file(path)) {
    exchange->reply(page_reply(*file, request));
  } else {
    return false;
  }
  return true;
}

void Service::prepare(const ExchangePtr& exchange) {
  // The exchange stays with this thread; the other one gets what it needs to read.
  auto asked = std::make_shared<http::Request>(exchange->request());
  auto kept = std::make_shared<ExchangePtr>(exchange);
  worker_->add([this, asked, kept] {
    auto prepared = std::make_shared<Prepared>();
    std::string fault;
    try {
      for (const Route& route : routes()) {
        if (route.path == plain_path(asked->path)) *prepared = route.prepare(*asked, *context_);
      }
    } catch (const ApiError& error) {
      prepared->reply = error_reply(error);
    } catch (const Error& error) {
      prepared->reply = error_reply({400, "invalid_request_error", "invalid_value", error.what()});
    } catch (const std::exception& error) {
      fault = error.what();
    }
    server_.post([this, prepared, fault = std::move(fault), kept]() mutable {
      const ExchangePtr own = std::exchange(*kept, nullptr);
      if (!fault.empty()) {
        if (options_.log) options_.log(compact({{"id", own->id()}, {"fault", fault}}));
        return own->reply(error_reply(internal_error(own->id())));
      }
      if (!prepared->plan) return own->reply(std::move(prepared->reply));
      try {
        prepared->plan->begin(own, desks_[access_.key(own->request()).value_or(0)]);
      } catch (const ApiError& error) {
        if (error.status == 429 || error.status == 503) metrics_.count_refusal(error.code);
        own->reply(error_reply(error));
      }
    });
  });
}

void Service::observe(const http::Answered& answered) {
  const std::string_view endpoint = endpoint_label(answered.path);
  metrics_.count_reply(endpoint, answered.status, answered.seconds);
  if (!options_.log) return;
  Json line{
      {"time",
       std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count()},
      {"id", answered.id},
      {"peer", answered.peer.unix_socket ? "unix" : "tcp"},
      {"endpoint", endpoint},
      {"status", answered.status},
      {"ms", answered.seconds * 1e3}};
  if (answered.gone)
    line["gone"] = *answered.gone == http::Gone::disconnect    ? "disconnect"
                   : *answered.gone == http::Gone::slow_client ? "slow_client"
                                                               : "stopped";
  if (!answered.fault.empty()) line["fault"] = answered.fault;
  options_.log(compact(line));
}

}  // namespace unmask
