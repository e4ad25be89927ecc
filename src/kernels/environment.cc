#include "kernels/environment.h"

#include <cstdlib>
#include <span>
#include <string_view>

#include "core/error.h"

namespace unmask::environment {

namespace {

std::string read(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

/// Which of `words` the variable is; the first where it is not set.
size_t choice(const char* variable, std::span<const std::string_view> words) {
  const std::string value = read(variable);
  if (value.empty()) return 0;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == value) return i;
  }
  fail("[environment] {}: found '{}', expected {}", variable, printable(value),
       fmt::join(words, " or "));
}

}  // namespace

std::string cpu_kernels() { return read("UNMASK_ISA"); }

std::string cuda_plugin() { return read("UNMASK_CUDA_PLUGIN"); }

CudaAttention cuda_attention() {
  constexpr std::string_view kWords[] = {"own", "cudnn"};
  return static_cast<CudaAttention>(choice("UNMASK_CUDA_ATTENTION", kWords));
}

CudaSteps cuda_steps() {
  constexpr std::string_view kWords[] = {"graph", "queue", "host"};
  return static_cast<CudaSteps>(choice("UNMASK_CUDA_STEPS", kWords));
}

bool cuda_tunes() {
  constexpr std::string_view kWords[] = {"on", "off"};
  return choice("UNMASK_CUDA_TUNE", kWords) == 0;
}

}  // namespace unmask::environment
