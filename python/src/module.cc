#include "module.h"

#include <pybind11/stl.h>
#include <unmask/unmask.h>

namespace unmask::python {

namespace py = pybind11;

void define_errors(py::module_& m) {
  // An Error of unmask is a RuntimeError with a code; Cancelled is one of its kind.
  static py::exception<Error> error(m, "Error", PyExc_RuntimeError);
  static py::exception<Error> cancelled(m, "Cancelled", error.ptr());
  error.attr("__doc__") = "What is wrong, in one line, with an ErrorCode as `code`.";
  cancelled.attr("__doc__") = "Somebody ended the work.";
  // NOLINTNEXTLINE(performance-unnecessary-value-param): pybind11 wants this type
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Error& e) {
      const py::object kind = e.code() == ErrorCode::cancelled ? cancelled : error;
      const py::object value = kind(e.what());
      value.attr("code") = py::cast(e.code());
      PyErr_SetObject(kind.ptr(), value.ptr());
    }
  });
  py::enum_<ErrorCode>(m, "ErrorCode", "What an Error is about.")
      .value("INVALID", ErrorCode::invalid)
      .value("CHAT_TEMPLATE", ErrorCode::chat_template)
      .value("DEVICE", ErrorCode::device)
      .value("WEIGHTS", ErrorCode::weights)
      .value("SPECIAL_TOKEN", ErrorCode::special_token)
      .value("SCHEMA", ErrorCode::schema)
      .value("NOT_FINITE", ErrorCode::not_finite)
      .value("MEMORY", ErrorCode::memory)
      .value("CANCELLED", ErrorCode::cancelled)
      .value("SYSTEM", ErrorCode::system)
      .value("MISUSE", ErrorCode::misuse)
      .value("DEFECT", ErrorCode::defect);
}

}  // namespace unmask::python

PYBIND11_MODULE(_unmask, m) {
  using namespace unmask;  // NOLINT(google-build-using-namespace)
  m.doc() = "The library of unmask; use the package `unmask`.";
  python::define_errors(m);
  python::define_results(m);
  python::define_model(m);
  python::define_engine(m);
  m.attr("__version__") = version();
  m.def("presets", &presets, "Presets and what they stand for.");
  m.def("methods", &methods, "Names of the acceleration methods.");
  m.def("method_options", &method_options, pybind11::arg("method"),
        "Names of the options of a method.");
  m.def("option_names", &option_names, "Names of the options of a request.");
  m.def("cached_models", &cached_models, "Names of the models that were downloaded.");
}
