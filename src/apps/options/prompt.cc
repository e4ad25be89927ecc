#include "apps/options/prompt.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/error.h"

namespace unmask {

namespace {

constexpr size_t kMostBytes = size_t{64} << 20;  // of a prompt: a hundred times the longest context

/// Up to one byte more than `most`.
std::string read_all(std::istream& in, size_t most) {
  std::string text;
  std::array<char, 4096> chunk{};
  while (text.size() <= most && (in.read(chunk.data(), chunk.size()) || in.gcount() > 0)) {
    text.append(chunk.data(), static_cast<size_t>(in.gcount()));
  }
  return text;
}

/// Text as editors of every system save it: no byte order mark, line breaks are LF.
std::string plain_text(std::string_view text, const std::string& origin) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    fail("[prompt] {}: is UTF-16; save it as UTF-8", origin);
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) != "\r\n") out += text[i];
  }
  return out;
}

std::string without_final_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

std::string read_whole(std::string_view where, const std::string& file, size_t most,
                       Console& console) {
  std::string text;
  if (file == "-") {
    text = read_all(console.in, most);
  } else {
    std::ifstream in(file, std::ios::binary);
    const bool opened = in.is_open();
    text = read_all(in, most);
    // A directory can be opened, but not read.
    if (!opened || in.bad()) fail("[{}] {}: cannot be read: {}", where, file, std::strerror(errno));
  }
  if (text.size() > most) fail("[{}] {}: more than {} MiB", where, file, most >> 20);
  return text;
}

std::string read_prompt(const PromptArguments& arguments, Console& console) {
  if (arguments.text) return *arguments.text;
  if (!arguments.file && console.in_terminal) {
    console.err << "Type the prompt and end it with Ctrl-D.\n";
  }
  const std::string file = arguments.file.value_or("-");
  return without_final_break(plain_text(read_whole("prompt", file, kMostBytes, console),
                                        file == "-" ? "standard input" : file));
}

std::vector<TokenId> read_question(const PromptArguments& arguments, const PromptOptions& options,
                                   const ModelFiles& files, Console& console) {
  const std::string text = read_prompt(arguments, console);
  if (text.empty()) {
    fail("[prompt] the prompt is empty; give one with -p, -f or on standard input");
  }
  return encode_question(files, options, text);
}

std::vector<std::string> length_warnings(const Request& request, const ModelConfig& config) {
  const int length = request.most_tokens();
  if (length <= config.max_positions) return {};
  return {fmt::format(
      "the canvas of {} tokens ({} of prompt, {} to generate) is longer than the {} positions the "
      "model was trained for; expect poor text",
      length, request.prompt_length, length - request.prompt_length, config.max_positions)};
}

void warn_of(const std::vector<std::string>& lines, Console& console) {
  for (const std::string& line : lines) warn(console, "{}", line);
}

void warn_once(const std::vector<std::string>& lines, std::set<std::string>& said,
               Console& console) {
  for (const std::string& line : lines) {
    if (said.insert(line).second) warn(console, "{}", line);
  }
}

}  // namespace unmask
