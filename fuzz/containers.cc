// Weights: safetensors, GGUF and packed files.
#include "core/checksum.h"
#include "io/containers/gguf.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/packed_file.h"
#include "io/containers/safetensors.h"
#include "io/gguf_config.h"
#include "io/text/tokenizer.h"
#include "io/text/tokenizer_spec.h"
#include "kernels/panels.h"
#include "model/adaptation.h"
#include "support.h"
#include "targets.h"

namespace unmask::fuzz {

namespace {

bool inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

void safetensors(std::string_view input) {
  const auto path = file_of(input);
  refused([&] {
    const SafetensorsFile file(path);
    size_t bytes = 0;
    for (const auto& [name, tensor] : file.tensors()) {
      require(inside(tensor.bytes, file.file().bytes()), "a tensor lies in its file");
      require(tensor.elements() >= 0, "no tensor has a negative size");
      bytes += tensor.bytes.size();
    }
    require(bytes <= input.size(), "no byte belongs to two tensors");
  });
}

void gguf(std::string_view input) {
  const auto path = file_of(input);
  refused([&] {
    const GgufFile file(path);
    for (const auto& [name, tensor] : file.tensors()) {
      require(inside(tensor.bytes, file.file().bytes()), "a tensor lies in its file");
      size_t elements = 1;
      for (const int64_t size : tensor.sizes) elements *= static_cast<size_t>(size);
      require(
          elements / tensor.type->block_elements * tensor.type->block_bytes == tensor.bytes.size(),
          "a tensor has the bytes of its blocks");
    }
  });
  refused([&] { read_gguf_config(GgufCheckpoint(path)); });
  refused([&] { Tokenizer::build(read_gguf_tokenizer(path)); });
}

/// The input is description and directory; their checksums are right, since nothing else would come
/// through.
void packed(std::string_view input) {
  std::string bytes(kPackedMagic);
  std::string footer;
  const auto put = [](auto number, std::string& to) {
    to.append(reinterpret_cast<const char*>(&number), sizeof number);
  };
  put(kPackedVersion, bytes);
  bytes.resize(8192);
  for (const std::string_view part : {take_part(input), input}) {
    put(uint64_t{bytes.size()}, footer);
    put(uint64_t{part.size()}, footer);
    put(checksum(std::as_bytes(std::span(part))), footer);
    bytes += part;
  }
  bytes += footer;
  bytes += kPackedMagic;
  const auto path = file_of(bytes);
  refused([&] {
    const PackedFile file(path);
    for (const std::string_view name : file.names()) {
      const StoredTensor& tensor = file.at(name);
      require(inside(tensor.bytes, file.description().file().bytes()), "a tensor lies in its file");
      refused([&] {
        const HostMatrix matrix = host_matrix(tensor);
        require(!matrix.in_panels || panels_bytes(matrix) == tensor.bytes.size(),
                "panels have the bytes of their shape");
      });
    }
    file.verify();  // reads every byte of them
  });
}

}  // namespace unmask::fuzz
