#include "apps/options/prompt.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "apps/terminal/terminal.h"
#include "core/error.h"

namespace unmask {

namespace {

constexpr int kDefaultLength = 128;
constexpr int kLladaBlock = 32;  // of the published evaluations of LLaDA-8B-Instruct

std::string read_all(std::istream& in) {
  std::string text;
  std::array<char, 4096> chunk{};
  while (in.read(chunk.data(), chunk.size()) || in.gcount() > 0) {
    text.append(chunk.data(), static_cast<size_t>(in.gcount()));
  }
  return text;
}

std::string without_final_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// The algorithm by the user's word, the model's recommendation, or the family's custom.
Algorithm choose_algorithm(const GenerationArguments& a, const ModelConfig& config) {
  if (a.algorithm) return parse_algorithm(*a.algorithm);
  if (config.family == Family::llada) return Algorithm::low_confidence;
  if (a.threshold || a.factor) return Algorithm::maskgit_plus;  // these rules need probabilities
  // The published files say `origin`, their library's neutral value; the model cards say entropy.
  const std::string advised = config.generation.alg.value_or("origin");
  return advised == algorithm_name(Algorithm::origin) ? Algorithm::entropy
                                                      : parse_algorithm(advised);
}

/// Recommendations of the model's files count only where they mean something, so that they cannot
/// clash with what the user asked for.
SamplerOptions sampler_options(const GenerationArguments& a, const ModelConfig& config) {
  SamplerOptions options;
  options.algorithm = choose_algorithm(a, config);
  options.threshold = a.threshold;
  options.factor = a.factor;
  const GenerationDefaults none;
  const GenerationDefaults& advice =
      is_llada_algorithm(options.algorithm) ? none : config.generation;
  const bool ranks = options.algorithm != Algorithm::origin && !options.dynamic();
  options.temperature = a.temperature.value_or(advice.temperature.value_or(0));
  options.top_p = a.top_p ? a.top_p : std::optional<double>(advice.top_p);
  options.top_k = a.top_k ? a.top_k : advice.top_k;
  options.alg_temp = a.alg_temp.value_or(ranks ? advice.alg_temp.value_or(0) : 0);
  options.eps = a.eps.value_or(advice.eps.value_or(options.eps));
  options.suppress_eos = a.suppress_eos;
  options.defer_eos = a.defer_eos;
  options.seed = a.seed;
  return options;
}

void set_common(const GenerationArguments& a, const ModelFiles& files, Request& request) {
  request.sampler = sampler_options(a, files.config);
  request.cfg_scale = a.cfg_scale;
  request.method = a.method;
  request.eos_ids = files.stop_ids;
}

}  // namespace

ModelFiles open_model_files(const std::string& directory) {
  ModelFiles files{load_model_config(directory), Tokenizer::load(directory), {}};
  files.stop_ids = files.config.stop_ids;
  for (const std::string_view end_of_turn : {"<|eot_id|>", "<|im_end|>"}) {
    const auto id = files.tokenizer.added_token(end_of_turn);
    if (id && std::count(files.stop_ids.begin(), files.stop_ids.end(), *id) == 0) {
      files.stop_ids.push_back(*id);
    }
  }
  return files;
}

std::string read_prompt(const PromptArguments& arguments, Console& console) {
  if (arguments.text) return *arguments.text;
  if (arguments.file) {
    std::ifstream file(*arguments.file, std::ios::binary);
    const bool opened = file.is_open();
    std::string text = read_all(file);
    // A directory can be opened, but not read.
    if (!opened || file.bad()) {
      fail("[prompt] {}: cannot be read: {}", *arguments.file, std::strerror(errno));
    }
    return without_final_break(std::move(text));
  }
  if (console.in_terminal) console.err << "Type the prompt and end it with Ctrl-D.\n";
  std::string text = read_all(console.in);
  if (interrupted()) throw Interrupted{};
  return without_final_break(std::move(text));
}

ChatFormat choose_chat_format(const ChatArguments& arguments, const std::string& directory) {
  return arguments.format ? parse_chat_format(*arguments.format) : detect_chat_format(directory);
}

std::string render_question(const ChatArguments& arguments, const std::string& directory,
                            const std::string& question) {
  std::vector<ChatMessage> messages;
  if (arguments.system) messages.push_back({"system", *arguments.system});
  messages.push_back({"user", question});
  return render_chat(choose_chat_format(arguments, directory), messages);
}

std::string read_question(const PromptArguments& prompt, const ChatArguments& chat, bool raw,
                          const std::string& directory, Console& console) {
  const std::string text = read_prompt(prompt, console);
  if (text.empty()) {
    fail("[prompt] the prompt is empty; give one with -p, -f or on standard input");
  }
  return raw ? text : render_question(chat, directory, text);
}

Request make_request(const GenerationArguments& a, const ModelFiles& files,
                     std::vector<TokenId> prompt) {
  const ModelConfig& config = files.config;
  const bool llada = config.family == Family::llada;
  const std::optional<int> advised = llada ? std::nullopt : config.generation.max_new_tokens;
  const int length = a.gen_length.value_or(advised.value_or(kDefaultLength));
  Request request = append_masks(std::move(prompt), length, config.mask_id);
  set_common(a, files, request);
  request.block_length = a.block_length.value_or(llada ? std::min(length, kLladaBlock) : length);
  request.steps = a.steps.value_or(length);
  request.early_stop = !a.no_early_stop;
  check_request(request, config);
  return request;
}

Request make_fill_request(const GenerationArguments& a, const ModelFiles& files,
                          std::span<const FillPart> parts) {
  Request request;
  set_common(a, files, request);
  request.sampler.suppress_eos = true;
  int masks = 0;
  for (const FillPart& part : parts) {
    const std::vector<TokenId> text = files.tokenizer.encode(part.text);
    request.tokens.insert(request.tokens.end(), text.begin(), text.end());
    if (masks == 0) request.prompt_length = static_cast<int>(request.tokens.size());
    request.tokens.insert(request.tokens.end(), static_cast<size_t>(part.masks),
                          files.config.mask_id);
    masks += part.masks;
  }
  request.block_length = request.gen_length();
  request.steps = a.steps.value_or(masks);
  check_request(request, files.config);
  return request;
}

void warn_about_length(const Request& request, const ModelConfig& config, Console& console) {
  const auto length = static_cast<int>(request.tokens.size());
  if (length <= config.max_positions) return;
  warn(console,
       "the canvas of {} tokens ({} of prompt, {} to generate) is longer than the {} positions the "
       "model was trained for; expect poor text",
       length, request.prompt_length, request.gen_length(), config.max_positions);
}

}  // namespace unmask
