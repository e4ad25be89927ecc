// Options as keyword arguments.
#pragma once

#include <pybind11/pybind11.h>
#include <string>
#include <unmask/unmask.h>

namespace unmask::python {

/// A value as the options of the library read it: True is "true", a dictionary is JSON.
inline std::string option_text(const pybind11::handle& value) {
  namespace py = pybind11;
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>() ? "true" : "false";
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::dict>(value)) {
    return py::module_::import("json").attr("dumps")(value).cast<std::string>();
  }
  return py::str(value).cast<std::string>();
}

/// Sets each that is not None; a list sets every element, one after the other.
template <typename Options>
Options options_of(const pybind11::kwargs& arguments) {
  namespace py = pybind11;
  Options options;
  for (const std::pair<py::handle, py::handle> argument : arguments) {
    const py::handle value = argument.second;
    if (value.is_none()) continue;
    const std::string name = py::str(argument.first);
    if (!py::isinstance<py::list>(value)) {
      options.set(name, option_text(value));
      continue;
    }
    for (const py::handle element : value) options.set(name, option_text(element));
  }
  return options;
}

}  // namespace unmask::python
