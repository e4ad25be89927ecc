#include "support.h"

#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

namespace unmask::fuzz {

void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

void check_message(std::string_view message) {
  require(!message.empty(), "a refusal says why");
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) std::fprintf(stderr, "%s\n", std::string(message).c_str());
    require(byte >= 0x20 && byte != 0x7f, "a message is one line without control characters");
  }
}

std::filesystem::path file_of(std::string_view content) {
  static const int file = memfd_create("fuzz", MFD_CLOEXEC);
  const auto size = static_cast<off_t>(content.size());
  require(file >= 0 && ftruncate(file, size) == 0 &&
              pwrite(file, content.data(), content.size(), 0) == size,
          "there is memory for a file");
  return "/proc/self/fd/" + std::to_string(file);
}

std::string_view take_part(std::string_view& input) {
  constexpr std::string_view kEnd = "\n===\n";
  const size_t at = input.find(kEnd);
  const std::string_view part = input.substr(0, at);
  input.remove_prefix(at == std::string_view::npos ? input.size() : at + kEnd.size());
  return part;
}

}  // namespace unmask::fuzz
