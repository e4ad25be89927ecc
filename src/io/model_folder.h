// The files that describe a model, be it a folder or a packed file, inside of which paths go on as
// in a folder: model.unmask/config.json. read_text_file() reads both.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace unmask {

/// Whether `file` is there; a link to nothing counts, since reading it says what is wrong.
bool has_file(const std::filesystem::path& file);

/// Whether `model` is a folder or a packed file with files of one.
bool is_model_folder(const std::filesystem::path& model);

/// Files in `folder`, sorted; none where it is not there.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder);

/// Content of a file inside a packed one; none where `file` does not lie in one. Throws Error when
/// it has more than `max_bytes`, and as PackedDescription.
std::optional<std::string> read_inside_packed(const std::filesystem::path& file, size_t max_bytes);

/// Whether the metadata of a GGUF file describe `model`: it is one, or was packed from one.
bool has_gguf_metadata(const std::filesystem::path& model);

}  // namespace unmask
