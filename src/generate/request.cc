#include "generate/request.h"

#include <algorithm>

#include "core/error.h"
#include "methods/registry.h"

namespace unmask {

namespace {

/// Numbers that divide `n`, closest to `wanted` from both sides, for the hint of an error.
std::string nearest_divisors(int n, int wanted) {
  int below = std::min(wanted, n);
  while (n % below != 0) --below;
  int above = std::min(std::max(wanted, 1), n);
  while (n % above != 0) ++above;
  return below == above ? std::to_string(below) : fmt::format("{} or {}", below, above);
}

}  // namespace

Request append_masks(std::vector<TokenId> prompt, int gen_length, TokenId mask_id) {
  if (gen_length < 1) fail("[request] gen_length: found {}, expected at least 1", gen_length);
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
  const int length = request.gen_length();
  if (length < 1) fail("[request] gen_length: found {}, expected at least 1", length);
  if (request.block_length < 1 || length % request.block_length != 0) {
    fail("[request] block_length {} does not divide gen_length {}; use {}", request.block_length,
         length, nearest_divisors(length, std::max(request.block_length, 1)));
  }
  const int blocks = length / request.block_length;
  if (request.steps < blocks || request.steps % blocks != 0) {
    fail("[request] steps {} cannot be spread over {} blocks of {}; use a multiple of {}, e.g. {}",
         request.steps, blocks, request.block_length, blocks,
         std::max(1, request.steps / blocks) * blocks);
  }
  if (!(request.cfg_scale >= 0)) {
    fail("[request] cfg_scale: found {}, expected a number >= 0", request.cfg_scale);
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
  if (method->needs_order() && request.sampler.algorithm != Algorithm::random) {
    fail(
        "[method] '{}' needs to know beforehand which positions a step decides: use algorithm "
        "random, not '{}'",
        printable(request.method), algorithm_name(request.sampler.algorithm));
  }
}

}  // namespace unmask
