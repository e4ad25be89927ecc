// A checkpoint loaded onto a backend, as the tests of the engine need it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "io/containers/checkpoint.h"
#include "kernels/create_backend.h"
#include "model/transformer.h"

namespace unmask::testing {

/// Everything that must live as long as a transformer.
struct LoadedModel {
  LoadedModel(const std::filesystem::path& directory, std::unique_ptr<Backend> on)
      : backend(std::move(on)),
        config(load_model_config(directory)),
        checkpoint(directory),
        weights(load_weights(checkpoint, config, *backend)),
        transformer(config, weights, *backend) {}

  std::unique_ptr<Backend> backend;
  ModelConfig config;
  Checkpoint checkpoint;
  Weights weights;
  Transformer transformer;
};

/// "reference" or "cpu" with two threads, float32.
inline std::unique_ptr<Backend> make_backend(const std::string& name) {
  return name == "reference" ? create_reference_backend() : create_cpu_backend({.threads = 2});
}

}  // namespace unmask::testing
