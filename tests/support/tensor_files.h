// Safetensors files with given values, and checkpoints made of other checkpoints.
#pragma once

#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "io/containers/safetensors.h"
#include "support/safetensors_bytes.h"
#include "support/temp_dir.h"

namespace unmask::testing {

struct FileTensor {
  std::string dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};
using FileTensors = std::map<std::string, FileTensor>;

inline std::string file_bytes(const FileTensors& tensors) {
  std::string header;
  std::string data;
  for (const auto& [name, t] : tensors) {
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          header.empty() ? "{" : ",", name, t.dtype, fmt::join(t.shape, ","),
                          data.size(), data.size() + t.bytes.size());
    data += t.bytes;
  }
  return safetensors_bytes(header.empty() ? "{}" : header + "}", data);
}

/// `dtype`: F32, F16 or BF16.
inline FileTensor tensor_of(const std::vector<int64_t>& shape, const std::vector<float>& values,
                            const std::string& dtype = "F32") {
  FileTensor t{dtype, shape, {}};
  for (const float value : values) {
    if (dtype == "F32") {
      t.bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else {
      const uint16_t bits = dtype == "BF16" ? f32_to_bf16(value) : f32_to_f16(value);
      t.bytes.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    }
  }
  return t;
}

inline FileTensor random_tensor(std::mt19937& random, const std::vector<int64_t>& shape,
                                const std::string& dtype = "F32") {
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 4096;
  }
  return tensor_of(shape, values, dtype);
}

inline std::vector<float> values_of(const FileTensor& t) {
  std::vector<float> values(t.bytes.size() / (t.dtype == "F32" ? 4 : 2));
  const DType dtype = t.dtype == "F32" ? DType::f32 : t.dtype == "F16" ? DType::f16 : DType::bf16;
  to_f32(t.bytes.data(), dtype, values.size(), values.data());
  return values;
}

inline FileTensors read_file_tensors(const std::filesystem::path& path) {
  FileTensors tensors;
  const SafetensorsFile file(path);
  for (const auto& [name, t] : file.tensors()) {
    tensors[name] = {
        t.dtype, t.shape, {reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size()}};
  }
  return tensors;
}

/// Copies the files of a folder, but for its weights, and returns the tensors of these.
inline FileTensors copy_model(const std::filesystem::path& from, const TempDir& to) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (!entry.is_regular_file() || entry.path().extension() == ".safetensors") continue;
    std::filesystem::copy_file(entry.path(), to.path() / entry.path().filename());
  }
  return read_file_tensors(from / "model.safetensors");
}

}  // namespace unmask::testing
