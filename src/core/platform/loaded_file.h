// Where code came from.
#pragma once

#include <filesystem>

namespace unmask {

/// The file that `code` was loaded from, the program or a library; empty where the system does not
/// say.
std::filesystem::path loaded_file(const void* code);

}  // namespace unmask
