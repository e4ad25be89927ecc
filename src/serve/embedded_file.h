// Files that the build put into the program, see tools/embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace unmask {

struct EmbeddedFile {
  std::string_view name;  // without folders
  std::string_view bytes;
};

/// All of web/dist.
std::span<const EmbeddedFile> embedded_files();

}  // namespace unmask
