#include "apps/options/hints.h"

#include <algorithm>
#include <cctype>

namespace unmask {

namespace {

constexpr std::string_view kFields[] = {"algorithm", "alg_temp",    "attach_eos",   "credit",
                                        "defer_eos", "drafts",      "eps",          "factor",
                                        "leap",      "leap_radius", "suppress_eos", "temperature",
                                        "threshold", "top_k",       "top_p"};

bool belongs_to_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

/// The option that sets a field of SamplerOptions: alg_temp, --alg-temp.
std::string option_of(std::string_view field) {
  std::string name = "--" + std::string(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string with_options(std::string_view message) {
  std::string out;
  while (!message.empty()) {
    const auto word_end = std::find_if_not(message.begin(), message.end(), belongs_to_word);
    const auto length = std::max<size_t>(1, static_cast<size_t>(word_end - message.begin()));
    const std::string_view word = message.substr(0, length);
    const bool field = std::find(std::begin(kFields), std::end(kFields), word) != std::end(kFields);
    out += field ? option_of(word) : std::string(word);
    message.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string as_typed(const Error& error) {
  const std::string message =
      error.code() == ErrorCode::sampler ? with_options(error.what()) : error.what();
  return message + std::string(hint(error.code()));
}

std::string_view hint(ErrorCode code) {
  switch (code) {
    case ErrorCode::chat_format:
      return "; pass --template llada|chatml|qwen3|llada-moe, or --raw for no template";
    case ErrorCode::device: return "; use --device cpu";
    case ErrorCode::device_type: return "; use --dtype bf16 or --device cpu";
    case ErrorCode::weight_type: return "; choose another --dtype";
    case ErrorCode::quantized: return "; --dtype int8 and int4 quantize it while loading";
    case ErrorCode::mask_id: return "; if you know it, say so with --mask-id";
    case ErrorCode::eos_id: return "; if you know it, say so with --eos-id";
    case ErrorCode::not_finite: return "; try --dtype f32, of a packed file inspect --verify";
    case ErrorCode::adapter: return "; give its base model with -m and this folder with --lora";
    case ErrorCode::algorithm: return "; choose one with --algorithm";
    case ErrorCode::canvas_length: return "; use a larger --length";
    case ErrorCode::memory:
      return "; use fewer tokens or a smaller --dtype, or allow more with --max-memory";
    case ErrorCode::results_exist: return "; choose another --out";
    case ErrorCode::sampler:
    case ErrorCode::schema:
    case ErrorCode::other: break;
  }
  return "";
}

}  // namespace unmask
