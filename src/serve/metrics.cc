#include "serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace unmask {

namespace {

using prometheus::Counter;
template <typename T>
using Labelled = prometheus::Family<T>;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

const Buckets kSeconds{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250};
const Buckets kStepSeconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
const Buckets kRows{1, 4, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};
const Buckets kSequences{1, 2, 3, 4, 6, 8, 12, 16, 32, 64};
const Buckets kTokens{0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32};

}  // namespace

struct Metrics::State {
  Labelled<Counter>& counters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Counter& counter(const char* name, const char* help) { return counters(name, help).Add({}); }
  Gauge& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
  Histogram& histogram(const char* name, const char* help, const Buckets& buckets) {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
    return family.Add({}, buckets);
  }

  prometheus::Registry registry;
  Labelled<Counter>& requests = counters("unmask_requests_total", "Replies by path and status");
  Labelled<Counter>& refused = counters("unmask_refused_total", "Requests that were not begun");
  Labelled<Counter>& cancelled = counters("unmask_cancelled_total", "Requests that ended early");
  Labelled<Counter>& committed =
      counters("unmask_tokens_committed_total", "Tokens of answers by method");
  Counter& prompt = counter("unmask_prompt_tokens_total", "Tokens of prompts");
  Counter& answer = counter("unmask_generation_tokens_total", "Tokens of answers");
  Counter& canvas = counter("unmask_canvas_tokens_total", "Tokens of canvases, masks included");
  Counter& steps = counter("unmask_denoise_steps_total", "Steps of all requests");
  Counter& passes = counter("unmask_forward_passes_total", "Passes of all requests");
  Counter& rows = counter("unmask_rows_total", "Rows that went through the network");
  Counter& reused =
      counter("unmask_cached_tokens_total", "Tokens of prompts that were not computed");
  Counter& early = counter("unmask_early_stops_total", "Answers that ended before their canvas");
  Counter& forced =
      counter("unmask_constraint_forced_total", "Answers that a schema ended for want of room");
  Histogram& first_text = histogram("unmask_time_to_first_text_seconds",
                                    "From a request's arrival to its first text", kSeconds);
  Histogram& whole =
      histogram("unmask_e2e_request_seconds", "From a request's headers to its reply", kSeconds);
  Histogram& queue = histogram("unmask_queue_seconds", "Waiting for the engine", kSeconds);
  Histogram& step = histogram("unmask_step_seconds", "One step of the engine", kStepSeconds);
  Histogram& step_rows = histogram("unmask_rows_per_step", "Rows of a request's step", kRows);
  Histogram& sequences =
      histogram("unmask_sequences_per_step", "Requests that run side by side", kSequences);
  Histogram& per_pass = histogram("unmask_tokens_per_forward", "Answer tokens a pass", kTokens);
  Gauge& running = gauge("unmask_requests_running", "Requests that the engine works on");
  Gauge& waiting = gauge("unmask_requests_waiting", "Requests in the queue");
  Gauge& kv_bytes = gauge("unmask_kv_bytes", "Keys and values of running requests");
  Gauge& prefix_bytes = gauge("unmask_prefix_bytes", "Finished blocks kept for later prompts");
  Gauge& budget = gauge("unmask_memory_budget_bytes", "What running requests may hold");
  Gauge& connections = gauge("unmask_connections", "Open connections");
};

Metrics::Metrics(const Build& build) : state_(std::make_unique<State>()) {
  prometheus::BuildGauge()
      .Name("unmask_build_info")
      .Help("What runs here; always 1")
      .Register(state_->registry)
      .Add({{"version", build.version}, {"model", build.model}, {"device", build.device}})
      .Set(1);
}

Metrics::~Metrics() = default;

void Metrics::count_reply(std::string_view endpoint, int status, double seconds) {
  state_->requests.Add({{"endpoint", std::string(endpoint)}, {"code", std::to_string(status)}})
      .Increment();
  state_->whole.Observe(seconds);
}

void Metrics::count_refusal(std::string_view reason) {
  state_->refused.Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::count_cancel(std::string_view reason) {
  state_->cancelled.Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::count_start(double seconds_waited) { state_->queue.Observe(seconds_waited); }

void Metrics::count_step(const StepEvent& event) {
  state_->steps.Increment();
  state_->step_rows.Observe(event.rows);
}

void Metrics::count_engine_step(double seconds, size_t requests) {
  state_->step.Observe(seconds);
  state_->sequences.Observe(static_cast<double>(requests));
}

void Metrics::count_result(const Result& result) {
  state_->passes.Increment(result.forward_passes);
  state_->rows.Increment(static_cast<double>(result.rows));
  state_->reused.Increment(result.reused);
  if (result.stopped_early) state_->early.Increment();
  if (result.hurried) state_->forced.Increment();
}

void Metrics::count_tokens(int prompt, int answer, int canvas, int passes,
                           std::string_view method) {
  state_->prompt.Increment(prompt);
  state_->answer.Increment(answer);
  state_->canvas.Increment(canvas);
  state_->committed.Add({{"method", std::string(method)}}).Increment(answer);
  if (passes > 0) state_->per_pass.Observe(static_cast<double>(answer) / passes);
}

void Metrics::count_first_text(double seconds) { state_->first_text.Observe(seconds); }

void Metrics::set_state(int running, int waiting, size_t kv_bytes, size_t prefix_bytes) {
  state_->running.Set(running);
  state_->waiting.Set(waiting);
  state_->kv_bytes.Set(static_cast<double>(kv_bytes));
  state_->prefix_bytes.Set(static_cast<double>(prefix_bytes));
}

void Metrics::set_connections(size_t connections) {
  state_->connections.Set(static_cast<double>(connections));
}

void Metrics::set_memory_budget(int64_t bytes) { state_->budget.Set(static_cast<double>(bytes)); }

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace unmask
