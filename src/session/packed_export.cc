#include "session/packed_export.h"

#include <sstream>

#include "core/error.h"
#include "core/parallel.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/gguf_writer.h"
#include "io/containers/packed_file.h"
#include "io/containers/packed_writer.h"
#include "io/gguf_config.h"
#include "io/json_file.h"
#include "io/kept_overrides.h"
#include "io/model_folder.h"
#include "kernels/create_backend.h"
#include "kernels/panels.h"
#include "model/families.h"
#include "session/find_model.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostFileBytes = size_t{256} << 20;
constexpr const char* kDescribing[] = {
    "config.json",         "generation_config.json", "tokenizer.json",    "vocab.json",
    "merges.txt",          "tokenizer_config.json",  "added_tokens.json", "special_tokens_map.json",
    "chat_template.jinja", "chat_template.json",
};
constexpr const char* kTemplates = "additional_chat_templates";

/// The metadata of a GGUF model as a file without tensors.
std::string metadata_of(const GgufCheckpoint& checkpoint) {
  GgufWriter writer;
  for (const auto& [key, value] : checkpoint.first().metadata()) {
    if (!key.starts_with("split.") && key != kGgufTiedHead) writer.add(key, value);
  }
  writer.add(kGgufTiedHead, !checkpoint.contains("output.weight"));
  std::ostringstream out;
  writer.write_header(out);
  return std::move(out).str();
}

void add_files(const fs::path& model, PackedWriter& writer) {
  if (is_gguf_file(model)) {
    writer.add_file(std::string(kPackedMetadata), metadata_of(GgufCheckpoint(model)));
    return;
  }
  for (const char* name : kDescribing) {
    if (has_file(model / name)) writer.add_file(name, read_text_file(model / name, kMostFileBytes));
  }
  for (const fs::path& file : files_in(model / kTemplates)) {
    writer.add_file(fmt::format("{}/{}", kTemplates, file.filename().string()),
                    read_text_file(file, kMostFileBytes));
  }
}

std::string_view float_name(DType dtype) {
  return dtype == DType::bf16 ? "BF16" : dtype == DType::f16 ? "F16" : "F32";
}

/// Writes tensors as they come.
class PanelWriter {
 public:
  PanelWriter(const PackedExport& options, PackedWriter& writer)
      : options_(options), writer_(writer), pool_(options.threads, options.stop) {}

  void write(const std::string& name, const std::vector<int64_t>& shape, bool is_linear_map,
             HostMatrix matrix) {
    if (!is_linear_map) return write_rows(name, shape, matrix);
    matrix.format = options_.weights;
    if (matrix.format == WeightType::stored && !matrix.blocks) {
      matrix.format = exact_type(matrix.dtype);
    }
    if (const auto bytes = panels_bytes(matrix)) return write_panels(name, shape, matrix, *bytes);
    write_rows(name, shape, matrix);
  }

 private:
  void write_panels(const std::string& name, const std::vector<int64_t>& shape,
                    const HostMatrix& matrix, size_t bytes) {
    const Buffer panels = allocate_host(bytes);
    auto* data = static_cast<std::byte*>(panels.data());
    pack_panels(matrix, pool_, data);
    const bool blocks = matrix.format == WeightType::stored;
    writer_.add_tensor(name, {.dtype = std::string(blocks ? block_traits(*matrix.blocks).name
                                                          : weight_type_name(*matrix.format)),
                              .shape = shape,
                              .bytes = {data, bytes},
                              .in_panels = true});
  }

  void write_rows(const std::string& name, const std::vector<int64_t>& shape,
                  const HostMatrix& matrix) {
    const auto in = static_cast<size_t>(matrix.in);
    const size_t row_bytes =
        matrix.blocks ? block_bytes(*matrix.blocks, in) : in * dtype_bytes(matrix.dtype);
    const int rows = shape.size() == 1 ? 1 : matrix.out;
    std::span<const std::byte> bytes(matrix.row(0), row_bytes * static_cast<size_t>(rows));
    std::vector<std::byte> in_order;  // of rows that do not lie so
    if (matrix.interleaved != 0 || !matrix.is_dense()) {
      in_order.resize(bytes.size());
      for (int r = 0; r < rows; ++r) {
        std::copy_n(matrix.row(r), row_bytes, in_order.data() + row_bytes * static_cast<size_t>(r));
      }
      bytes = in_order;
    }
    writer_.add_tensor(name, {.dtype = std::string(matrix.blocks ? block_traits(*matrix.blocks).name
                                                                 : float_name(matrix.dtype)),
                              .shape = shape,
                              .bytes = bytes});
  }

  const PackedExport& options_;
  PackedWriter& writer_;
  ThreadPool pool_;
};

}  // namespace

int64_t write_packed(const ModelFiles& files, const PackedExport& options, std::ostream& out) {
  return write_packed(files.checkpoint(), files.config(), options, out);
}

int64_t write_packed(const TensorDirectory& checkpoint, const ModelConfig& config,
                     const PackedExport& options, std::ostream& out) {
  const fs::path& path = checkpoint.path();
  if (checkpoint.packed_type()) {
    fail("[packed] {}: is packed already; use the model it was made of", path.string());
  }
  PackedWriter writer(weight_type_name(options.weights), model_name(path), out);
  add_files(path, writer);
  if (const std::string kept = overrides_text(options.overrides); !kept.empty()) {
    writer.add_file(kOverridesFile, kept);
  }
  PanelWriter tensors(options, writer);
  prepare_weights(
      checkpoint, config, {.threads = options.threads, .progress = options.progress},
      [&](const std::string& name, const std::vector<int64_t>& shape, bool is_linear_map,
          const HostMatrix& matrix) { tensors.write(name, shape, is_linear_map, matrix); });
  return writer.finish();
}

}  // namespace unmask
