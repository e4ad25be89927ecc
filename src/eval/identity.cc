#include "eval/identity.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

#include "core/list_folder.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/packed_file.h"
#include "io/fnv1a.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostBytes = size_t{16} << 20;

std::string hexadecimal(uint64_t hash) { return fmt::format("{:016x}", hash); }

/// Each text with an end of its own, so that "ab", "c" differs from "a", "bc".
uint64_t add(std::string_view text, uint64_t hash) {
  return fnv1a(std::string_view("\0", 1), fnv1a(text, hash));
}

uint64_t add_file(const fs::path& path, uint64_t hash) {
  std::ifstream in(path, std::ios::binary);
  std::array<char, 65536> bytes{};
  hash = add(path.filename().string(), hash);
  for (size_t left = kMostBytes; left > 0;) {
    in.read(bytes.data(), static_cast<std::streamsize>(std::min(left, bytes.size())));
    const auto got = static_cast<size_t>(in.gcount());
    if (got == 0) break;
    hash = fnv1a({bytes.data(), got}, hash);
    left -= got;
  }
  return hash;
}

bool describes(const fs::path& path) {
  const std::string type = path.extension().string();
  return type == ".json" || type == ".jinja" || type == ".txt";
}

}  // namespace

std::string example_fingerprint(const Example& example) {
  uint64_t hash = fnv1a(metric_name(example.metric));
  for (const ChatMessage& message : example.messages) {
    hash = add(message.content, add(message.role, hash));
  }
  for (const std::string& reference : example.references) hash = add(reference, hash);
  hash = add("choices", hash);
  for (const std::string& choice : example.choices) hash = add(choice, hash);
  return hexadecimal(hash);
}

std::string description_fingerprint(const ModelFiles& files) {
  if (is_gguf_file(files.path())) return hexadecimal(add_file(files.path(), fnv1a("")));
  if (is_packed_file(files.path())) {
    uint64_t hash = fnv1a("");
    const PackedDescription packed(files.path());
    for (const auto& [name, text] : packed.files()) hash = add(text, add(name, hash));
    return hexadecimal(hash);
  }
  std::vector<fs::path> found;
  for (const fs::path& path : list_folder(files.path())) {
    if (fs::is_regular_file(path) && describes(path)) found.push_back(path);
  }
  uint64_t hash = fnv1a("");
  for (const fs::path& path : found) hash = add_file(path, hash);
  return hexadecimal(hash);
}

}  // namespace unmask
