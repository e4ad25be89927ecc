// The fuzz targets: each takes any bytes, and ends the process where a property does not hold.
#pragma once

#include <string_view>

namespace unmask::fuzz {

// Files of models.
void safetensors(std::string_view input);
void gguf(std::string_view input);
void packed(std::string_view input);
void config(std::string_view input);
void tokenizer(std::string_view input);
void chat_template(std::string_view input);
void folder(std::string_view input);
void lora(std::string_view input);
// Text and tokens.
void text(std::string_view input);
void stream(std::string_view input);
void split_pattern(std::string_view input);
// What people give to commands.
void fill(std::string_view input);
void method(std::string_view input);
void dataset(std::string_view input);
void results(std::string_view input);
void members(std::string_view input);
// What clients send.
void schema(std::string_view input);
void request(std::string_view input);
// What programs call.
void c_api(std::string_view input);

}  // namespace unmask::fuzz
