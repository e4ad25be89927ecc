// What a file is that turned out not to be what its name says.
#pragma once

#include <string>
#include <string_view>

namespace unmask {

/// Bytes of a file that file_kind() looks at.
inline constexpr size_t kFileKindBytes = 512;

/// What a file is by its first bytes, as the end of a sentence "FILE is ...", with what to do next:
/// a pointer of Git LFS, a web page, a pickle of PyTorch, GGUF, an archive. Empty when nothing
/// gives it away.
std::string file_kind(std::string_view first_bytes);

/// Throws Error "WHERE: is ..." when file_kind() knows the bytes.
void refuse_other_kind(std::string_view first_bytes, const std::string& where);

}  // namespace unmask
