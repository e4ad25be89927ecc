#include "generate/request.h"

#include "core/error.h"
#include "methods/registry.h"

namespace unmask {

namespace {

/// Throws Error unless the generated part can be cut into blocks with a step each.
void check_lengths(const Request& request) {
  const int length = request.gen_length();
  if (length < 1) fail("[request] length: found {}, expected at least 1", length);
  if (request.block_length < 1 || request.block_length > length) {
    fail("[request] block length: found {}, expected 1 to {}, the length", request.block_length,
         length);
  }
  if (request.steps < request.blocks()) {
    fail("[request] steps: found {}, expected at least {}, one for each block of {} tokens",
         request.steps, request.blocks(), request.block_length);
  }
  if (request.most_length != 0 && request.most_length < length) {
    fail("[request] a canvas of {} tokens cannot grow to {}", length, request.most_length);
  }
}

}  // namespace

Request append_masks(std::vector<TokenId> prompt, int gen_length, TokenId mask_id) {
  if (gen_length < 1) fail("[request] length: found {}, expected at least 1", gen_length);
  Request request;
  request.prompt_length = static_cast<int>(prompt.size());
  request.tokens = std::move(prompt);
  request.tokens.resize(request.tokens.size() + static_cast<size_t>(gen_length), mask_id);
  request.block_length = gen_length;
  request.steps = gen_length;
  return request;
}

void check_request(const Request& request, const ModelConfig& config) {
  check_options(request.sampler);
  check_lengths(request);
  if (!(request.cfg_scale >= 0)) {
    fail("[request] guidance: found {}, expected a number >= 0", request.cfg_scale);
  }
  for (const TokenId id : request.tokens) {
    if (id < 0 || id >= config.vocab_size) {
      fail("[request] token id {} is outside the vocabulary of {}", id, config.vocab_size);
    }
  }
  for (const TokenId id : request.eos_ids) {
    if (id < 0 || id >= config.vocab_size) {
      fail("[request] end token id {} is outside the vocabulary of {}", id, config.vocab_size);
    }
  }
  const auto method = create_method(request.method, {config, request.sampler.seed});
  if (request.most_length > request.gen_length() && !method->allows_growth()) {
    fail("[method] '{}' keeps what it measured on the whole canvas, which therefore cannot grow",
         printable(request.method));
  }
  if (method->needs_order() && request.sampler.algorithm != Algorithm::random) {
    fail(ErrorCode::sampler,
         "[method] '{}' needs to know beforehand which positions a step decides: use algorithm "
         "random, not '{}'",
         printable(request.method), algorithm_name(request.sampler.algorithm));
  }
}

}  // namespace unmask
