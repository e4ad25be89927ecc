// What fuzz targets share: files in memory, inputs of several parts, and what counts as a fault.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"

namespace unmask::fuzz {

/// Ends the process where a property does not hold.
void require(bool holds, const char* property);

/// Checks what is said about a refusal: one line without control characters.
void check_message(std::string_view message);

/// True when `work` throws Error, as readers do for what they refuse. Whatever else it throws ends
/// the process.
template <typename Work>
bool refused(const Work& work) {
  try {
    work();
    return false;
  } catch (const Error& error) {
    check_message(error.what());
    return true;
  }
}

/// A file that holds `content` until the next call.
std::filesystem::path file_of(std::string_view content);

/// Takes the text before the next line "===" from the front of `input`.
std::string_view take_part(std::string_view& input);

}  // namespace unmask::fuzz
