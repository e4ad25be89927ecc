#pragma once

#include <filesystem>
#include <vector>

namespace unmask {

/// Paths of what lies in a folder, sorted; none where it cannot be read. The iterators of libstdc++
/// 12 end the program when memory runs out, since they allocate in functions that may not throw.
std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder);

}  // namespace unmask
