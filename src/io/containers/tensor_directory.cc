#include "io/containers/tensor_directory.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "io/fnv1a.h"

namespace unmask {

int64_t StoredTensor::elements() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

DType StoredTensor::element_type() const {
  if (dtype == "F32") return DType::f32;
  if (dtype == "F16") return DType::f16;
  if (dtype == "BF16") return DType::bf16;
  if (dtype == "I64") return DType::i64;
  if (dtype == "I32") return DType::i32;
  if (dtype == "U8") return DType::u8;
  fail("[safetensors] dtype {} is not supported; use F32, F16, BF16, I64, I32 or U8",
       printable(dtype));
}

void TensorDirectory::rename(const std::map<std::string, std::string>& new_names) {
  std::map<std::string, Entry, std::less<>> taken;
  for (const auto& [name, old] : new_names) {
    auto node = entries_.extract(old);
    UNMASK_CHECK(!node.empty(), "a tensor to be renamed must be there");
    taken.emplace(name, std::move(node.mapped()));
  }
  entries_.merge(taken);
}

void TensorDirectory::split(const std::string& name, std::span<const std::string> parts,
                            std::span<const int64_t> rows, bool stacked) {
  const Entry whole = entry(name);
  const std::vector<int64_t>& shape = whole.tensor.shape;
  const int64_t sum = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  if (shape.empty() || shape[0] != sum) {
    fail("[checkpoint] {}: shape [{}], expected {} rows", printable(name), fmt::join(shape, ", "),
         sum);
  }
  entries_.erase(name);
  const size_t row_bytes = sum == 0 ? 0 : whole.tensor.bytes.size() / static_cast<size_t>(sum);
  size_t begin = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    Entry part = whole;
    if (stacked) {
      part.tensor.shape.erase(part.tensor.shape.begin());
    } else {
      part.tensor.shape[0] = rows[i];
    }
    const size_t bytes = row_bytes * static_cast<size_t>(rows[i]);
    part.tensor.bytes = whole.tensor.bytes.subspan(begin, bytes);
    begin += bytes;
    if (!entries_.emplace(parts[i], std::move(part)).second) {
      fail("[checkpoint] {}: holds both '{}' and the parts of '{}'", path_.string(),
           printable(parts[i]), printable(name));
    }
  }
}

void TensorDirectory::add(const std::string& name, StoredTensor tensor, const MappedFile& file,
                          const std::filesystem::path& file_path) {
  const auto [it, inserted] =
      entries_.try_emplace(name, Entry{std::move(tensor), &file, file_path});
  if (inserted) return;
  fail("[checkpoint] {}: tensor '{}' is also in {}", file_path.string(), printable(name),
       it->second.file_path.filename().string());
}

std::filesystem::path TensorDirectory::file_of(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? std::filesystem::path() : found->second.file_path;
}

const TensorDirectory::Entry& TensorDirectory::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    fail("[checkpoint] {}: tensor '{}' is missing", path_.string(), printable(name));
  }
  return found->second;
}

bool TensorDirectory::contains(std::string_view name) const { return entries_.contains(name); }

const StoredTensor& TensorDirectory::at(std::string_view name) const { return entry(name).tensor; }

StoredTensor& TensorDirectory::mutable_at(std::string_view name) {
  const auto found = entries_.find(name);
  UNMASK_CHECK(found != entries_.end(), "a tensor to be changed must be there");
  return found->second.tensor;
}

std::vector<std::string_view> TensorDirectory::names() const {
  std::vector<std::string_view> all;
  all.reserve(entries_.size());
  for (const auto& [name, found] : entries_) all.push_back(name);
  return all;
}

int64_t TensorDirectory::total_bytes() const {
  int64_t total = 0;
  for (const auto& [name, found] : entries_) {
    total += static_cast<int64_t>(found.tensor.bytes.size());
  }
  return total;
}

uint64_t TensorDirectory::fingerprint() const {
  constexpr size_t kSample = 64;
  uint64_t hash = fnv1a("");
  for (const auto& [name, found] : entries_) {
    hash = fnv1a(name, hash);
    const std::span<const std::byte> bytes = found.tensor.bytes;
    const size_t length = std::min(kSample, bytes.size());
    for (const size_t begin : {size_t{0}, (bytes.size() - length) / 2, bytes.size() - length}) {
      hash = fnv1a({reinterpret_cast<const char*>(bytes.data()) + begin, length}, hash);
    }
  }
  return hash;
}

void TensorDirectory::release(std::string_view name) const {
  const Entry& found = entry(name);
  found.file->release(found.tensor.bytes);
}

}  // namespace unmask
