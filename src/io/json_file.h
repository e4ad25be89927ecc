// Strict JSON for files that come from elsewhere: bounded in size and depth, without duplicate
// keys.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace unmask {

struct JsonLimits {
  size_t max_bytes = size_t{256} << 20;  // the largest published tokenizer.json has some 33 MB
  int max_depth = 64;
};

/// Parses `text`; `where` starts every message. Throws Error for anything but one well-formed value
/// of at most `max_depth` levels whose objects have unique keys.
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          const JsonLimits& limits = {});

/// The same with the keys of objects in their order. Each key is compared with those before it: 64
/// KiB may take 50 million comparisons, so keep `max_bytes` low for text from elsewhere.
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where,
                                          const JsonLimits& limits = {});

/// Throws Error when there is a zero byte in `text`: no JSON has one, but the library takes it for
/// the end, whatever follows.
void refuse_zero_byte(std::string_view text, const std::string& where);

/// parse_json on the content of `file`.
nlohmann::json read_json_file(const std::filesystem::path& file, const JsonLimits& limits = {});

/// `value` on one line with its line break, all escaped that would steer a terminal; bytes that are
/// no UTF-8, as file names may have, become U+FFFD.
std::string json_line(const nlohmann::ordered_json& value);

/// Content of a regular file, or of one inside a packed model (io/model_folder.h). Throws Error
/// when it cannot be read or has more than `max_bytes`.
std::string read_text_file(const std::filesystem::path& file, size_t max_bytes);

}  // namespace unmask
