// The parts of the module, each of which defines some classes.
#pragma once

#include <pybind11/pybind11.h>

namespace unmask::python {

void define_results(pybind11::module_& m);
void define_model(pybind11::module_& m);
void define_engine(pybind11::module_& m);
void define_errors(pybind11::module_& m);

}  // namespace unmask::python
