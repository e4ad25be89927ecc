#include "io/template/json_value.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "io/json_file.h"

namespace unmask::jinja {

namespace {

using nlohmann::json;

/// Builds values while the text is parsed.
class Builder : public nlohmann::json_sax<json> {
 public:
  explicit Builder(std::string_view where) : where_(where) {}

  Value take() { return std::move(*whole_); }

  bool null() override { return add(Value()); }
  bool boolean(bool value) override { return add(Value(value)); }
  bool number_integer(int64_t value) override { return add(Value(value)); }
  bool number_unsigned(uint64_t value) override {
    if (value > INT64_MAX) refuse_integer(std::to_string(value));
    return add(Value(static_cast<int64_t>(value)));
  }
  bool number_float(double value, const std::string& digits) override {
    if (digits.find_first_of(".eE") == std::string::npos) refuse_integer(digits);
    return add(Value(value));
  }
  bool string(std::string& value) override { return add(Value(Text::quote(value))); }
  bool binary(json::binary_t& /*value*/) override { return false; }
  bool start_array(size_t /*size*/) override { return open(true); }
  bool start_object(size_t /*size*/) override { return open(false); }
  bool key(std::string& key) override {
    levels_.back().key = Value(Text::quote(key));
    return true;
  }
  bool end_array() override {
    Value list = make_list(std::move(levels_.back().items));
    levels_.pop_back();
    return add(std::move(list));
  }
  bool end_object() override {
    Value dict(std::move(levels_.back().members));
    levels_.pop_back();
    return add(std::move(dict));
  }
  bool parse_error(size_t position, const std::string& /*token*/,
                   const json::exception& /*error*/) override {
    fail("{}: found no JSON at byte {}", where_, position);
  }

 private:
  struct Level {
    bool array;
    Values items{};
    Dict members{};
    Value key{};
  };

  [[noreturn]] void refuse_integer(const std::string& digits) const {
    fail("{}: found the integer {}, expected one of at most 64 bits", where_,
         printable(digits, 60));
  }
  bool open(bool array) {
    constexpr size_t kMostLevels = 64;
    if (levels_.size() == kMostLevels)
      fail("{}: nested deeper than {} levels", where_, kMostLevels);
    levels_.push_back({array});
    return true;
  }
  bool add(Value value) {
    if (levels_.empty()) {
      whole_ = std::move(value);
    } else if (levels_.back().array) {
      levels_.back().items.push_back(std::move(value));
    } else {
      levels_.back().members.set(levels_.back().key, std::move(value));
    }
    return true;
  }

  std::string where_;
  std::vector<Level> levels_;
  std::optional<Value> whole_;
};

}  // namespace

Value read_json(std::string_view text, std::string_view where) {
  refuse_zero_byte(text, std::string(where));
  Builder builder(where);
  json::sax_parse(text, &builder);
  return builder.take();
}

}  // namespace unmask::jinja
