#include <deque>
#include <pybind11/stl.h>

#include "events.h"
#include "gil.h"
#include "module.h"

namespace unmask::python {

namespace py = pybind11;

namespace {

/// An engine whose events wait to be fetched, so that Python reads them without being called back.
class EventEngine {
 public:
  EventEngine(const Model& model, int max_running, int max_rows, int64_t memory_limit)
      : engine_(model, {.max_running = max_running,
                        .max_rows = max_rows,
                        .memory_limit = memory_limit,
                        .cancellation = cancellation_}) {}

  RequestId submit(const Request& request, bool events) {
    if (!events) return engine_.submit(request);
    return engine_.submit(request, [this](const StepEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.emplace_back(event);
      return true;
    });
  }
  /// Steps until there is an event or nothing is left to do.
  std::optional<KeptEvent> next_event() {
    if (auto event = pop()) return event;
    return interruptible(cancellation_, [this] {
      std::optional<KeptEvent> event;
      for (bool more = true; more && !event; event = pop()) more = engine_.step();
      return event;
    });
  }
  bool step() {
    return interruptible(cancellation_, [this] { return engine_.step(); });
  }
  void run() {
    interruptible(cancellation_, [this] {
      engine_.run();
      return true;
    });
  }
  void cancel(RequestId id) { engine_.cancel(id); }
  bool ended(RequestId id) const { return engine_.ended(id); }
  Result take(RequestId id) { return engine_.take(id); }
  size_t open() const { return engine_.open(); }

 private:
  std::optional<KeptEvent> pop() {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return std::nullopt;
    KeptEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  Cancellation cancellation_;
  std::mutex mutex_;  // several threads of Python may ask
  std::deque<KeptEvent> events_;
  Engine engine_;
};

}  // namespace

void define_engine(py::module_& m) {
  py::class_<EventEngine>(m, "Engine",
                          "Requests of a model side by side, which join and leave between steps.")
      .def(py::init<const Model&, int, int, int64_t>(), py::arg("model"), py::kw_only(),
           py::arg("max_running") = 8, py::arg("max_rows") = 0, py::arg("memory_limit") = 0)
      .def("submit", &EventEngine::submit, py::arg("request"), py::kw_only(),
           py::arg("events") = false)
      .def("next_event", &EventEngine::next_event)
      .def("step", &EventEngine::step)
      .def("run", &EventEngine::run)
      .def("cancel", &EventEngine::cancel)
      .def("ended", &EventEngine::ended)
      .def("take", &EventEngine::take)
      .def_property_readonly("open", &EventEngine::open);
}

}  // namespace unmask::python
