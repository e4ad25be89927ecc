// What comes out of a model.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "arrays.h"
#include "events.h"
#include "module.h"

namespace unmask::python {

namespace py = pybind11;

namespace {

std::pair<int, int> pair_of(Range range) { return {range.begin, range.end}; }

/// An array onto the elements of a vector of `owner`, which it keeps alive.
template <typename T>
py::array_t<T> array_in(const std::vector<T>& values, const py::object& owner) {
  py::array_t<T> array(static_cast<py::ssize_t>(values.size()), values.data(), owner);
  array.attr("flags").attr("writeable") = false;
  return array;
}

/// One member of decisions that lie in a row, as a strided view.
template <typename T>
py::array_t<T> column_in(const std::vector<Decision>& decided, const T Decision::*member,
                         const py::object& owner) {
  const T* first = decided.empty() ? nullptr : &(decided[0].*member);
  py::array_t<T> array({static_cast<py::ssize_t>(decided.size())}, {sizeof(Decision)}, first,
                       owner);
  array.attr("flags").attr("writeable") = false;
  return array;
}

void define_plan(py::module_& m) {
  py::class_<PlannedStep>(m, "PlannedStep", "A step of an explained request.")
      .def_readonly("rows", &PlannedStep::rows)
      .def_readonly("product_operations", &PlannedStep::product_operations)
      .def_readonly("attention_operations", &PlannedStep::attention_operations)
      .def_readonly("weight_bytes", &PlannedStep::weight_bytes)
      .def_readonly("kv_bytes", &PlannedStep::kv_bytes)
      .def_readonly("density", &PlannedStep::density);
  py::class_<Plan>(m, "Plan", "What a request computes and takes.")
      .def_readonly("steps", &Plan::steps)
      .def_readonly("rows", &Plan::rows)
      .def_readonly("weight_bytes", &Plan::weight_bytes)
      .def_readonly("request_bytes", &Plan::request_bytes);
  py::class_<PresetInfo>(m, "Preset", "A preset and what it stands for.")
      .def_readonly("name", &PresetInfo::name)
      .def_readonly("what", &PresetInfo::what)
      .def_readonly("method", &PresetInfo::method)
      .def_readonly("threshold", &PresetInfo::threshold)
      .def_readonly("block_length", &PresetInfo::block_length);
}

void define_judgements(py::module_& m) {
  py::class_<Score>(m, "Score", "How likely the model finds an answer.")
      .def_readonly("log_likelihood", &Score::log_likelihood)
      .def_readonly("standard_error", &Score::standard_error)
      .def_readonly("tokens", &Score::tokens)
      .def_readonly("samples", &Score::samples);
  py::class_<Answer>(m, "Answer", "What a model says to a question.")
      .def_property_readonly("probabilities",
                             [](const py::object& self) {
                               return array_in(self.cast<const Answer&>().probabilities, self);
                             })
      .def_readonly("best", &Answer::best)
      .def_readonly("confidence", &Answer::confidence)
      .def_readonly("level", &Answer::level)
      .def_readonly("label_mass", &Answer::label_mass);
}

}  // namespace

void define_results(py::module_& m) {
  define_plan(m);
  define_judgements(m);
  py::class_<Result>(m, "Result", "What a finished request says.")
      .def_readonly("text", &Result::text)
      .def_property_readonly(
          "tokens",
          [](const py::object& self) { return array_in(self.cast<const Result&>().tokens, self); })
      .def_property_readonly("answer", [](const Result& r) { return pair_of(r.answer); })
      .def_property_readonly("finish",
                             [](const Result& r) {
                               return r.finish == Finish::stop     ? "stop"
                                      : r.finish == Finish::length ? "length"
                                                                   : "cancelled";
                             })
      .def_readonly("answer_tokens", &Result::answer_tokens)
      .def_readonly("masks_left", &Result::masks_left)
      .def_readonly("steps", &Result::steps)
      .def_readonly("forward_passes", &Result::forward_passes)
      .def_readonly("rows", &Result::rows)
      .def_readonly("seconds", &Result::seconds)
      .def_readonly("seconds_to_first_text", &Result::seconds_to_first_text)
      .def_readonly("cached_tokens", &Result::cached_tokens)
      .def("__str__", [](const Result& r) { return r.text; })
      .def("__repr__", [](const Result& r) {
        return py::str("Result(text={!r}, steps={})").format(r.text, r.steps);
      });
  py::class_<KeptEvent>(m, "StepEvent", "What a step did to a request.")
      .def_property_readonly("request", [](const KeptEvent& e) { return e.event.request; })
      .def_property_readonly("step", [](const KeptEvent& e) { return e.event.step; })
      .def_property_readonly("total_steps", [](const KeptEvent& e) { return e.event.total_steps; })
      .def_property_readonly("block", [](const KeptEvent& e) { return pair_of(e.event.block); })
      .def_property_readonly("mask", [](const KeptEvent& e) { return e.event.mask; })
      .def_property_readonly("rows", [](const KeptEvent& e) { return e.event.rows; })
      .def_property_readonly("masks_left", [](const KeptEvent& e) { return e.event.masks_left; })
      .def_property_readonly("settled", [](const KeptEvent& e) { return e.event.settled; })
      .def_property_readonly("moved", [](const KeptEvent& e) { return e.event.moved; })
      .def_property_readonly("seconds", [](const KeptEvent& e) { return e.event.seconds; })
      .def_property_readonly("tokens",
                             [](const py::object& self) {
                               return array_in(self.cast<const KeptEvent&>().tokens, self);
                             })
      .def_property_readonly("positions",
                             [](const py::object& self) {
                               return column_in(self.cast<const KeptEvent&>().decided,
                                                &Decision::position, self);
                             })
      .def_property_readonly("decided",
                             [](const py::object& self) {
                               return column_in(self.cast<const KeptEvent&>().decided,
                                                &Decision::token, self);
                             })
      .def_property_readonly("confidences", [](const py::object& self) {
        return column_in(self.cast<const KeptEvent&>().decided, &Decision::confidence, self);
      });
}

}  // namespace unmask::python
