#include "io/containers/file_kind.h"

#include <array>

#include "core/error.h"

namespace unmask {

namespace {

struct Signature {
  std::string_view bytes;
  std::string_view kind;
};

constexpr std::string_view kConvert =
    "convert it to safetensors first (in Python: model.save_pretrained(DIR))";

constexpr std::array kSignatures{
    Signature{"version https://git-lfs.github.com/spec/", "a Git LFS pointer"},
    Signature{"version https://hawser.github.com/spec/", "a Git LFS pointer"},
    Signature{"# xet version", "a Xet pointer"},
    Signature{"<!DOCTYPE", "a web page"},
    Signature{"<!doctype", "a web page"},
    Signature{"<html", "a web page"},
    Signature{"<HTML", "a web page"},
    Signature{"GGUF", "a GGUF file"},
    Signature{"PK\x03\x04", "a zip archive, as PyTorch writes them"},
    Signature{"\x80\x02", "a pickle, as PyTorch writes them"},
    Signature{"\x80\x04", "a pickle, as PyTorch writes them"},
    Signature{"\x89HDF", "an HDF5 file"},
    Signature{"\x1f\x8b", "gzip-compressed"},
    Signature{"(\xb5/\xfd", "zstd-compressed"}};

/// The size that a pointer gives for the file it stands for, e.g. " of 16060617112 bytes".
std::string pointed_size(std::string_view pointer) {
  constexpr std::string_view kKey = "\nsize ";
  const size_t at = pointer.find(kKey);
  if (at == std::string_view::npos) return "";
  std::string_view digits = pointer.substr(at + kKey.size());
  digits = digits.substr(0, digits.find_first_not_of("0123456789"));
  return digits.empty() ? "" : fmt::format(" of {} bytes", digits);
}

std::string next_step(std::string_view kind, std::string_view bytes) {
  if (kind.ends_with("pointer")) {
    return fmt::format(
        "a few lines in place of the file{}, cloned without git-lfs; run `git lfs pull` in its "
        "folder, or download it again",
        pointed_size(bytes));
  }
  if (kind == "a web page") return "a download that went wrong; download the file again";
  if (kind == "a GGUF file") return "give a safetensors file";
  if (kind.ends_with("compressed")) return "unpack it first";
  return std::string(kConvert);
}

}  // namespace

std::string file_kind(std::string_view first_bytes) {
  const size_t text = std::min(first_bytes.find_first_not_of(" \t\r\n"), first_bytes.size());
  for (const Signature& known : kSignatures) {
    const bool is_page = known.kind == "a web page";
    if (!first_bytes.substr(is_page ? text : 0).starts_with(known.bytes)) continue;
    return fmt::format("{}: {}", known.kind, next_step(known.kind, first_bytes));
  }
  return "";
}

void refuse_other_kind(std::string_view first_bytes, const std::string& where) {
  const std::string kind = file_kind(first_bytes.substr(0, kFileKindBytes));
  if (!kind.empty()) fail("{}: is {}", where, kind);
}

}  // namespace unmask
