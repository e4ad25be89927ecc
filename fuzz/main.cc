// libFuzzer's side: FUZZ_TARGET says what its bytes are for, or else the name of the program.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "targets.h"

namespace {

using Target = void (*)(std::string_view input);

constexpr std::pair<std::string_view, Target> kTargets[] = {
    {"safetensors", unmask::fuzz::safetensors},
    {"gguf", unmask::fuzz::gguf},
    {"packed", unmask::fuzz::packed},
    {"config", unmask::fuzz::config},
    {"tokenizer", unmask::fuzz::tokenizer},
    {"chat_template", unmask::fuzz::chat_template},
    {"folder", unmask::fuzz::folder},
    {"lora", unmask::fuzz::lora},
    {"text", unmask::fuzz::text},
    {"stream", unmask::fuzz::stream},
    {"split_pattern", unmask::fuzz::split_pattern},
    {"fill", unmask::fuzz::fill},
    {"method", unmask::fuzz::method},
    {"dataset", unmask::fuzz::dataset},
    {"results", unmask::fuzz::results},
    {"members", unmask::fuzz::members},
    {"schema", unmask::fuzz::schema},
    {"request", unmask::fuzz::request},
    {"c_api", unmask::fuzz::c_api}};

Target chosen() {
  const char* name = std::getenv("FUZZ_TARGET");
  if (name == nullptr) name = program_invocation_short_name;
  for (const auto& [known, target] : kTargets) {
    if (known == name) return target;
  }
  std::fprintf(stderr, "'%s' is none of:", name);
  for (const auto& [known, target] : kTargets) std::fprintf(stderr, " %s", known.data());
  std::fputs("\n", stderr);
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Target target = chosen();
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
