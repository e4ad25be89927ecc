#include "io/containers/gguf_checkpoint.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <optional>

#include "core/error.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

/// NAME-00002-of-00003.gguf taken apart.
struct PartName {
  std::string name;
  int number = 1;  // from 1 on
  int count = 1;

  std::string file(int which) const {
    return fmt::format("{}-{:05}-of-{:05}.gguf", name, which, count);
  }
};

std::optional<PartName> part_name(const fs::path& file) {
  constexpr std::string_view kForm = "-00000-of-00000.gguf";  // 0 stands for any digit
  const std::string name = file.filename().string();
  if (name.size() <= kForm.size()) return std::nullopt;
  const std::string_view end = std::string_view(name).substr(name.size() - kForm.size());
  const bool fits = std::equal(end.begin(), end.end(), kForm.begin(), [](char c, char form) {
    return form == '0' ? std::isdigit(static_cast<unsigned char>(c)) != 0 : c == form;
  });
  if (!fits) return std::nullopt;
  PartName part{name.substr(0, name.size() - kForm.size()),
                std::stoi(std::string(end.substr(1, 5))),
                std::stoi(std::string(end.substr(10, 5)))};
  if (part.number < 1 || part.number > part.count) return std::nullopt;
  return part;
}

/// An integer of the metadata that only split files have.
std::optional<int64_t> split_key(const GgufFile& file, std::string_view key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) return std::nullopt;
  if (const auto* natural = std::get_if<uint64_t>(&found->second.value)) {
    return static_cast<int64_t>(*natural);
  }
  if (const auto* integer = std::get_if<int64_t>(&found->second.value)) return *integer;
  fail("[gguf] {}: key '{}' is {}, expected an integer", file.path().string(), key,
       gguf_type_name(found->second.type));
}

void check_part(const GgufFile& file, int64_t number, int64_t count) {
  const int64_t found_count = split_key(file, "split.count").value_or(1);
  if (found_count != count) {
    fail(
        "[gguf] {}: is a part of {} by its key split.count, {} by its name; split files are called "
        "NAME-00001-of-0000N.gguf",
        file.path().string(), found_count, count);
  }
  if (count == 1) return;
  const auto found_number = split_key(file, "split.no");
  if (found_number == number - 1) return;
  fail(
      "[gguf] {}: is part {} by its name, but its key split.no is {}, expected {}; give the parts "
      "the names they had",
      file.path().string(), number, found_number ? fmt::to_string(*found_number) : "missing",
      number - 1);
}

StoredTensor stored(const GgufTensor& tensor) {
  return {.dtype = std::string(tensor.type->name),
          .shape = {tensor.sizes.rbegin(), tensor.sizes.rend()},
          .bytes = tensor.bytes,
          .blocks = find_block_format(tensor.type->name)};
}

}  // namespace

bool is_gguf_file(const fs::path& path) {
  std::error_code none;
  if (!fs::is_regular_file(path, none)) return false;
  std::array<char, 4> magic{};
  std::ifstream in(path, std::ios::binary);
  in.read(magic.data(), magic.size());
  return in.gcount() == 4 && std::string_view(magic.data(), magic.size()) == "GGUF";
}

fs::path first_gguf_part(const fs::path& file) {
  const auto part = part_name(file);
  return part ? file.parent_path() / part->file(1) : file;
}

GgufCheckpoint::GgufCheckpoint(const fs::path& file) : TensorDirectory(first_gguf_part(file)) {
  const PartName part = part_name(file).value_or(PartName{});
  if (part.count > 1) {
    std::vector<std::string> missing;
    for (int i = 1; i <= part.count; ++i) {
      std::error_code none;
      const std::string name = part.file(i);
      if (!fs::exists(file.parent_path() / name, none)) missing.push_back(name);
    }
    if (!missing.empty()) {
      fail(
          "[gguf] {}: {} of the {} parts of the model are missing, e.g. {}; download them into the "
          "same folder",
          file.string(), missing.size(), part.count, missing.front());
    }
    for (int i = 1; i <= part.count; ++i) add_part(file.parent_path() / part.file(i));
  } else {
    add_part(file);
  }
  check_parts();
}

void GgufCheckpoint::add_part(const fs::path& path) {
  parts_.push_back(std::make_unique<GgufFile>(path));
  const GgufFile& part = *parts_.back();
  const PartName name = part_name(path).value_or(PartName{});
  check_part(part, name.number, name.count);
  for (const auto& [tensor_name, tensor] : part.tensors()) {
    add(tensor_name, stored(tensor), part.file(), path);
  }
}

void GgufCheckpoint::check_parts() const {
  const auto expected = split_key(first(), "split.tensors.count");
  const auto found = static_cast<int64_t>(names().size());
  if (expected.value_or(found) == found) return;
  fail("[gguf] {}: {} tensors in {} file{}, expected {} by the key split.tensors.count",
       path().string(), found, parts(), parts() == 1 ? "" : "s", *expected);
}

void GgufCheckpoint::mark_interleaved(std::string_view name, int head_dim) {
  mutable_at(name).interleaved = head_dim;
}

}  // namespace unmask
