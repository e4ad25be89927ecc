// Numbers for numpy that stay where they are, and numbers of numpy that are read in place.
#pragma once

#include <cstdint>
#include <pybind11/numpy.h>
#include <span>
#include <unmask/unmask.h>
#include <utility>
#include <vector>

namespace unmask::python {

/// An array that owns the memory of a vector.
template <typename T>
pybind11::array_t<T> array_of(std::vector<T> values) {
  auto* const owner = new std::vector<T>(std::move(values));
  const pybind11::capsule free(owner, [](void* v) { delete static_cast<std::vector<T>*>(v); });
  return pybind11::array_t<T>(static_cast<pybind11::ssize_t>(owner->size()), owner->data(), free);
}

/// An array of int32 as it is, anything else (lists, int64) converted.
using Tokens = pybind11::array_t<Token, pybind11::array::c_style | pybind11::array::forcecast>;

inline std::span<const Token> view(const Tokens& tokens) {
  if (tokens.ndim() != 1) {
    throw Error(ErrorCode::invalid, "[tokens] found an array of several dimensions, expected one");
  }
  return {tokens.data(), static_cast<size_t>(tokens.size())};
}

}  // namespace unmask::python
