#include "core/platform/loaded_file.h"

#include <dlfcn.h>

namespace unmask {

std::filesystem::path loaded_file(const void* code) {
  Dl_info info{};
  if (dladdr(code, &info) == 0 || info.dli_fname == nullptr) return {};
  return info.dli_fname;
}

}  // namespace unmask
