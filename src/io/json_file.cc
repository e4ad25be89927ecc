#include "io/json_file.h"

#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/mapped_file.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr int kMaxDepth = 64;

/// Watches the parser for what the resulting object could no longer tell: repeated keys and depth.
class StrictWatch {
 public:
  explicit StrictWatch(std::string where) : where_(std::move(where)) {}

  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (depth > kMaxDepth) fail("{}: nested deeper than {} levels", where_, kMaxDepth);
    const auto level = static_cast<size_t>(depth);
    if (event == json::parse_event_t::object_start) {
      // The keys of an object are reported one level below its start.
      if (keys_.size() <= level + 1) keys_.resize(level + 2);
      keys_[level + 1].clear();
    } else if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_[level].insert(key).second) fail("{}: key '{}' twice", where_, printable(key));
    }
    return true;
  }

 private:
  std::string where_;
  std::vector<std::set<std::string, std::less<>>> keys_;
};

}  // namespace

json read_json_file(const std::filesystem::path& path, size_t max_bytes) {
  const MappedFile file(path);
  const std::string where = "[json] " + path.string();
  const auto bytes = file.bytes();
  if (bytes.size() > max_bytes) {
    fail("{}: {} bytes, expected at most {}", where, bytes.size(), max_bytes);
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  try {
    StrictWatch watch(where);
    return json::parse(text, text + bytes.size(), std::ref(watch));
  } catch (const json::exception& e) {
    fail("{}: {}", where, printable(e.what(), 200));
  }
}

}  // namespace unmask
