#include "api/translate.h"

#include <algorithm>
#include <new>
#include <system_error>

#include "core/error.h"
#include "core/stop.h"

namespace unmask_v0 {

namespace {

ErrorCode code_of(unmask::ErrorCode code) {
  switch (code) {
    case unmask::ErrorCode::chat_format: return ErrorCode::chat_template;
    case unmask::ErrorCode::device:
    case unmask::ErrorCode::device_type: return ErrorCode::device;
    case unmask::ErrorCode::weight_type:
    case unmask::ErrorCode::quantized: return ErrorCode::weights;
    case unmask::ErrorCode::mask_id:
    case unmask::ErrorCode::eos_id: return ErrorCode::special_token;
    case unmask::ErrorCode::schema: return ErrorCode::schema;
    case unmask::ErrorCode::not_finite: return ErrorCode::not_finite;
    case unmask::ErrorCode::memory: return ErrorCode::memory;
    case unmask::ErrorCode::other:
    case unmask::ErrorCode::sampler:
    case unmask::ErrorCode::adapter:
    case unmask::ErrorCode::algorithm:
    case unmask::ErrorCode::canvas_length:
    case unmask::ErrorCode::results_exist: break;
  }
  return ErrorCode::invalid;
}

/// Some exceptions of the standard library speak in several lines.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

Error::Error(ErrorCode code, const std::string& message)
    : std::runtime_error(message), code_(code) {}
Error::~Error() = default;

void throw_translated() {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const unmask::Error& error) {
    throw Error(code_of(error.code()), one_line(error.what()));
  } catch (const unmask::Stopped&) {
    throw Error(ErrorCode::cancelled, "[model] cancelled");
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::system, one_line(std::string("[system] ") + error.what()));
  } catch (const std::exception& error) {
    throw Error(ErrorCode::defect, one_line(std::string("[defect] ") + error.what()));
  }
}

}  // namespace unmask_v0
