#include "checkpoint_writer.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "core/error.h"

namespace unmask::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr size_t kChunk = size_t{4} << 20;  // stays in the cache between drawing and writing

/// A new file; every failure, a full disk above all, is an Error.
class OutputFile {
 public:
  explicit OutputFile(const fs::path& path)
      : path_(path), number_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) {
    if (number_ < 0) fail_now();
  }
  ~OutputFile() {
    if (number_ >= 0) ::close(number_);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(number_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_now();
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }

  void close() {
    if (::close(std::exchange(number_, -1)) != 0) fail_now();
  }

 private:
  [[noreturn]] void fail_now() const {
    const int code = errno;
    if (code == ENOSPC) fail("[write] {}: the disk is full; free some space", path_.string());
    fail("[write] {}: {}", path_.string(), std::generic_category().message(code));
  }

  fs::path path_;
  int number_;
};

int64_t elements_of(const TensorSpec& spec) {
  int64_t product = 1;
  for (const int64_t size : spec.shape) product *= size;
  return product;
}

int64_t bytes_of(const TensorSpec& spec, DType dtype) {
  return elements_of(spec) * static_cast<int64_t>(dtype_bytes(dtype));
}

/// Cuts the list into `n_shards` runs of about equal size, none of them empty.
std::vector<std::span<const TensorSpec>> cut(std::span<const TensorSpec> specs, DType dtype,
                                             int n_shards) {
  std::vector<std::span<const TensorSpec>> shards;
  int64_t bytes_left = 0;
  for (const TensorSpec& spec : specs) bytes_left += bytes_of(spec, dtype);
  for (auto shards_left = static_cast<size_t>(n_shards); shards_left > 0; --shards_left) {
    const int64_t target = bytes_left / static_cast<int64_t>(shards_left);
    const size_t most = specs.size() - (shards_left - 1);
    size_t count = 0;
    int64_t bytes = 0;
    while (count < most && (count == 0 || bytes < target || shards_left == 1)) {
      bytes += bytes_of(specs[count++], dtype);
    }
    shards.push_back(specs.first(count));
    specs = specs.subspan(count);
    bytes_left -= bytes;
  }
  return shards;
}

std::string header_of(std::span<const TensorSpec> specs, DType dtype) {
  ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  int64_t end = 0;
  for (const TensorSpec& spec : specs) {
    const int64_t begin = std::exchange(end, end + bytes_of(spec, dtype));
    header[spec.name] = {{"dtype", dtype == DType::bf16 ? "BF16" : "F32"},
                         {"shape", spec.shape},
                         {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data begins aligned
  return text;
}

void write_shard(const fs::path& path, std::span<const TensorSpec> specs,
                 const RandomWeights& weights) {
  OutputFile file(path);
  const std::string header = header_of(specs, weights.dtype());
  const uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  std::vector<std::byte> chunk(kChunk);
  const auto per_chunk = static_cast<int64_t>(kChunk / dtype_bytes(weights.dtype()));
  for (const TensorSpec& spec : specs) {
    const int64_t elements = elements_of(spec);
    for (int64_t first = 0; first < elements; first += per_chunk) {
      const auto count = static_cast<size_t>(std::min(per_chunk, elements - first));
      const auto part = std::span(chunk).first(count * dtype_bytes(weights.dtype()));
      weights.fill(spec, first, part);
      file.write(part);
    }
  }
  file.close();
}

}  // namespace

int64_t checkpoint_bytes(const std::vector<TensorSpec>& specs, DType dtype) {
  int64_t total = 0;
  for (const TensorSpec& spec : specs) total += bytes_of(spec, dtype);
  return total;
}

void write_text(const fs::path& path, const std::string& text) {
  OutputFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.close();
}

void write_weights(const fs::path& directory, const std::vector<TensorSpec>& specs,
                   const RandomWeights& weights, int n_shards) {
  if (n_shards < 1 || static_cast<size_t>(n_shards) > specs.size()) {
    fail("[write] {} shards for {} tensors, expected 1 to that", n_shards, specs.size());
  }
  if (n_shards == 1) {
    write_shard(directory / "model.safetensors", specs, weights);
    return;
  }
  ordered_json index;
  index["metadata"]["total_size"] = checkpoint_bytes(specs, weights.dtype());
  int number = 0;
  for (const auto shard : cut(specs, weights.dtype(), n_shards)) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", ++number, n_shards);
    write_shard(directory / name, shard, weights);
    for (const TensorSpec& spec : shard) index["weight_map"][spec.name] = name;
  }
  write_text(directory / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace unmask::tools
