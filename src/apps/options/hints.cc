#include "apps/options/hints.h"

namespace unmask {

std::string_view hint(ErrorCode code) {
  switch (code) {
    case ErrorCode::chat_format: return "; pass --template llada|chatml, or --raw for no template";
    case ErrorCode::device: return "; use --device cpu";
    case ErrorCode::device_type: return "; use --dtype bf16 or --device cpu";
    case ErrorCode::weight_type: return "; choose another --dtype";
    case ErrorCode::quantized: return "; --dtype int8 and int4 quantize it while loading";
    case ErrorCode::not_finite: return "; try --dtype f32";
    case ErrorCode::adapter: return "; give its base model with -m and this folder with --lora";
    case ErrorCode::algorithm: return "; choose one with --algorithm";
    case ErrorCode::canvas_length: return "; use a larger --length";
    case ErrorCode::memory: return "; use fewer tokens or a smaller --dtype";
    case ErrorCode::results_exist: return "; choose another --out";
    case ErrorCode::other: break;
  }
  return "";
}

}  // namespace unmask
