// The C++ interface of unmask, which runs diffusion language models: everything.
//
//   const unmask::Model model("models/demo");
//   std::cout << model.generate("Text: ... Question: ...").text << "\n";
//
// docs/library.md explains it: threads, errors, and what stays the same between versions.
#pragma once

#include "unmask/decide.h"   // IWYU pragma: export
#include "unmask/engine.h"   // IWYU pragma: export
#include "unmask/error.h"    // IWYU pragma: export
#include "unmask/model.h"    // IWYU pragma: export
#include "unmask/request.h"  // IWYU pragma: export
#include "unmask/version.h"  // IWYU pragma: export

namespace unmask_v0 {

/// The version of the library that is loaded: UNMASK_VERSION of its headers.
UNMASK_API const char* version() noexcept;

}  // namespace unmask_v0
