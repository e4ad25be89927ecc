#include "io/json_file.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/containers/file_kind.h"
#include "io/containers/open_file.h"
#include "io/model_folder.h"
#include "io/text/terminal_controls.h"
#include "io/text/utf8.h"

namespace unmask {

using nlohmann::json;

namespace {

/// Builds the value event by event, because the library's own parser lets the last of two equal
/// keys win and nests without bound.
template <typename Json>
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  StrictBuilder(const std::string& where, size_t bytes, int max_depth)
      : where_(where), bytes_(bytes), max_depth_(max_depth) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(typename Json::number_integer_t value) override { return add(value); }
  bool number_unsigned(typename Json::number_unsigned_t value) override { return add(value); }
  bool number_float(typename Json::number_float_t value, const std::string&) override {
    return add(value);
  }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(typename Json::binary_t&) override { return false; }  // never occurs in text
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    const auto [entry, is_new] = open_.back()->emplace(name, nullptr);
    if (!is_new) fail("{}: the key '{}' occurs twice in one object", where_, printable(name));
    slot_ = &*entry;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail("{}: not well-formed JSON at byte {}{}", where_, position,
         position > bytes_ ? ", where it ends: truncated? download it again" : "");
  }

  Json take() { return std::move(root_); }

 private:
  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (static_cast<int>(open_.size()) >= max_depth_) {
      fail("{}: nested deeper than {} levels", where_, max_depth_);
    }
    open_.push_back(place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& where_;
  size_t bytes_;
  int max_depth_;
  Json root_;
  std::vector<Json*> open_;  // objects and arrays around the current position
  Json* slot_ = nullptr;     // value of the last key
};

template <typename Json>
Json parse_strictly(std::string_view text, const std::string& where, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    fail("{}: {} bytes of JSON, at most {} are read", where, text.size(), limits.max_bytes);
  }
  // Some editors write a byte order mark, which is no part of the value.
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  refuse_zero_byte(text, where);
  StrictBuilder<Json> builder(where, text.size(), limits.max_depth);
  Json::sax_parse(text, &builder);
  return builder.take();
}

}  // namespace

void refuse_zero_byte(std::string_view text, const std::string& where) {
  const size_t at = text.find('\0');
  if (at == std::string_view::npos) return;
  fail("{}: not well-formed JSON at byte {}: a zero byte", where, at + 1);
}

json parse_json(std::string_view text, const std::string& where, const JsonLimits& limits) {
  return parse_strictly<json>(text, where, limits);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where,
                                          const JsonLimits& limits) {
  return parse_strictly<nlohmann::ordered_json>(text, where, limits);
}

json read_json_file(const std::filesystem::path& file, const JsonLimits& limits) {
  return parse_json(read_text_file(file, limits.max_bytes), "[json] " + file.string(), limits);
}

std::string json_line(const nlohmann::ordered_json& value) {
  const std::string text =
      value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  // The library escapes the control characters below U+0020 only; others steer terminals, too. They
  // stand in strings, where an escape means the same.
  std::string line;
  line.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const auto length = static_cast<size_t>(step.length);
    if (steers_terminal(step.code_point)) {
      line += fmt::format("\\u{:04x}", static_cast<uint32_t>(step.code_point));
    } else {
      line.append(text, at, length);
    }
    at += length;
  }
  return line + '\n';
}

std::string read_text_file(const std::filesystem::path& file, size_t max_bytes) {
  if (auto inside = read_inside_packed(file, max_bytes)) return *std::move(inside);
  const OpenFile opened(file);
  if (opened.size() > max_bytes) {
    fail("[file] {}: {} bytes, at most {} are read", file.string(), opened.size(), max_bytes);
  }
  std::string content = opened.read();
  refuse_other_kind(content, "[file] " + file.string());
  return content;
}

}  // namespace unmask
