// The options of the interface, as the engine takes them.
#pragma once

#include <span>

#include "session/model.h"
#include "session/request_builder.h"
#include "unmask/model.h"

namespace unmask_v0 {

/// How a request puts its prompt.
unmask::PromptOptions prompt_options(const RequestOptions& options);
/// How it generates. Throws unmask::Error for values that cannot be.
unmask::RequestOptions generation_options(const RequestOptions& options);
unmask::ModelOverrides overrides_of(const LoadOptions& options);
/// All but progress and stop. Throws unmask::Error.
unmask::LoadOptions load_options(const LoadOptions& options);
/// Bytes that `prefix_cache` means for a model. Throws Error where it means none.
size_t prefix_bytes(const LoadOptions& options, const unmask::ModelConfig& config);

/// Throws unmask::Error for tokens that the model does not have.
void check_tokens(std::span<const Token> tokens, const unmask::ModelConfig& config);

}  // namespace unmask_v0
