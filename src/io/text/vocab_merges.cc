// Reader of vocab.json with merges.txt, the layout of slow tokenizers. It does not say how text is
// cut; the class name in tokenizer_config.json does, and only the Qwen2 family is known here (Dream
// derives from it).
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/open_file.h"
#include "io/json_file.h"
#include "io/text/special_tokens.h"
#include "io/text/tokenizer.h"
#include "io/text/tokenizer_spec.h"
#include "io/text/vocab_json.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

void check_config(const json& config, const std::string& where) {
  const auto name = config.find("tokenizer_class");
  if (name != config.end() && *name != json("DreamTokenizer") && *name != json("Qwen2Tokenizer")) {
    fail(
        "{}: tokenizer_class {} is not supported without a tokenizer.json, expected "
        "DreamTokenizer or Qwen2Tokenizer",
        where, printable(name->dump()));
  }
  for (const char* key : {"add_prefix_space", "split_special_tokens"}) {
    const auto found = config.find(key);
    if (found != config.end() && *found == json(true)) {
      fail("{}: key '{}' is not supported", where, key);
    }
  }
}

std::vector<std::pair<std::string, std::string>> read_merges(const fs::path& file) {
  const std::string content = read_text_file(file, JsonLimits{}.max_bytes);
  std::vector<std::pair<std::string, std::string>> merges;
  bool first = true;
  for (std::string_view rest = content; !rest.empty();) {
    const size_t length = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, length);
    rest.remove_prefix(std::min(length + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Only here is '#' a comment: merges may begin with it too.
    const bool header = first && line.starts_with("#version");
    first = false;
    if (!header && !line.empty()) merges.push_back(split_merge(line, tokenizer_where(file)));
  }
  return merges;
}

}  // namespace

TokenizerSpec read_vocab_and_merges(const fs::path& directory) {
  TokenizerSpec spec{.origin = directory.string(), .nfc = true};
  spec.patterns.emplace_back(kQwen2Pattern);
  const fs::path vocab_file = directory / "vocab.json";
  spec.vocab = read_vocab(read_object(vocab_file), tokenizer_where(vocab_file));
  spec.merges = read_merges(directory / "merges.txt");

  const fs::path config_file = directory / "tokenizer_config.json";
  const json config = may_exist(config_file) ? read_object(config_file) : json::object();
  check_config(config, tokenizer_where(config_file));
  return spec;
}

bool has_tokenizer(const fs::path& directory) {
  return is_gguf_file(directory) || may_exist(directory / "tokenizer.json") ||
         (may_exist(directory / "vocab.json") && may_exist(directory / "merges.txt"));
}

TokenizerSpec read_tokenizer_spec(const fs::path& directory) {
  if (is_gguf_file(directory)) return read_gguf_tokenizer(first_gguf_part(directory));
  if (!has_tokenizer(directory)) {
    fail("[tokenizer] {}: found neither tokenizer.json nor vocab.json with merges.txt",
         directory.string());
  }
  const bool whole = may_exist(directory / "tokenizer.json");
  TokenizerSpec spec =
      whole ? read_tokenizer_json(directory / "tokenizer.json") : read_vocab_and_merges(directory);
  add_special_tokens(directory, spec);
  return spec;
}

}  // namespace unmask
