#include "core/platform/loaded_file.h"

#include <dlfcn.h>
#include <link.h>

namespace unmask {

std::filesystem::path loaded_file(const void* code) {
  Dl_info info{};
  link_map* map = nullptr;
  if (dladdr1(code, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0 &&
      map != nullptr && map->l_name != nullptr && *map->l_name != '\0') {
    return map->l_name;
  }
  std::error_code error;  // the program itself has no name there
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

}  // namespace unmask
