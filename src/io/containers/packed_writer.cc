#include "io/containers/packed_writer.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "core/checksum.h"
#include "core/error.h"
#include "io/containers/packed_file.h"

namespace unmask {

using nlohmann::json;

struct PackedWriter::Contents {
  // Unordered, whose members are found without comparing all names.
  json description;
  json tensors = json::object();
};

namespace {

void add_part(const std::string& name, json entry, uint64_t offset,
              std::span<const std::byte> bytes, json& parts) {
  entry["offset"] = offset;
  entry["bytes"] = bytes.size();
  entry["checksum"] = fmt::format("{:016x}", checksum(bytes));
  const bool is_new = parts.emplace(name, std::move(entry)).second;
  UNMASK_CHECK(is_new, "a part of a packed model added twice");
}

}  // namespace

PackedWriter::PackedWriter(std::string_view type, std::string_view source, std::ostream& out)
    : out_(out), contents_(std::make_unique<Contents>()) {
  contents_->description = {
      {"type", type}, {"source", source}, {"layout", kPanelLayout}, {"files", json::object()}};
  const uint32_t version[] = {kPackedVersion, 0};
  put(std::as_bytes(std::span(kPackedMagic)));
  put(std::as_bytes(std::span(version)));
}

PackedWriter::~PackedWriter() = default;

void PackedWriter::put(std::span<const std::byte> bytes) {
  out_.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  position_ += bytes.size();
}

void PackedWriter::align(uint64_t alignment) {
  static const std::vector<std::byte> zeros(size_t{64} << 10);
  uint64_t left = (alignment - position_ % alignment) % alignment;
  while (left > 0) {
    const size_t part = std::min<uint64_t>(left, zeros.size());
    put(std::span(zeros).first(part));
    left -= part;
  }
}

void PackedWriter::add_file(const std::string& name, std::string_view content) {
  const auto bytes = std::as_bytes(std::span(content));
  align(packed_alignment(bytes.size()));
  add_part(name, json::object(), position_, bytes, contents_->description["files"]);
  put(bytes);
}

void PackedWriter::add_tensor(const std::string& name, const StoredTensor& tensor) {
  align(packed_alignment(tensor.bytes.size()));
  add_part(name, {{"dtype", tensor.dtype}, {"panels", tensor.in_panels}, {"shape", tensor.shape}},
           position_, tensor.bytes, contents_->tensors);
  put(tensor.bytes);
}

int64_t PackedWriter::finish() {
  align(packed_alignment(0));
  std::vector<uint64_t> footer;
  for (const json* part : {&contents_->description, &contents_->tensors}) {
    const std::string text = part->dump();
    const auto bytes = std::as_bytes(std::span(text));
    footer.insert(footer.end(), {position_, bytes.size(), checksum(bytes)});
    put(bytes);
  }
  put(std::as_bytes(std::span(footer)));
  put(std::as_bytes(std::span(kPackedMagic)));
  return static_cast<int64_t>(position_);
}

}  // namespace unmask
