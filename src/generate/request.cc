#include "generate/request.h"

#include "constrain/witness.h"
#include "core/error.h"
#include "methods/registry.h"

namespace unmask {

namespace {

constexpr double kMostGuidance = 1000;  // published scales end at 4

/// Throws Error unless the generated part can be cut into blocks with a step each.
void check_lengths(const Request& request) {
  const int length = request.gen_length();
  if (length < 1) fail("[request] length: found {}, expected at least 1", length);
  if (request.block_length < 1 || request.block_length > length) {
    fail("[request] block length: found {}, expected 1 to {}, the length", request.block_length,
         length);
  }
  if (request.first_block < 0 || request.first_block > request.block_length) {
    fail("[request] first block: found {}, expected 0 to {}, the block length", request.first_block,
         request.block_length);
  }
  if (request.steps_per_block < 0) {
    fail("[request] steps per block: found {}, expected at least 1", request.steps_per_block);
  }
  if (request.steps_per_block == 0 && request.steps < request.blocks()) {
    fail("[request] steps: found {}, expected at least {}, one for each block of {} tokens",
         request.steps, request.blocks(), request.block_length);
  }
  if (request.most_length != 0 && request.most_length < length) {
    fail("[request] a canvas of {} tokens cannot grow to {}", length, request.most_length);
  }
  if (!(request.end_in_sight >= 0 && request.end_in_sight <= 1)) {
    fail("[request] end in sight: found {}, expected a probability", request.end_in_sight);
  }
}

/// Throws Error unless a block can slide.
void check_sliding(const Request& request) {
  if (!request.sampler.dynamic()) {
    fail("[method] '{}' moves its block on by what is sure: found no threshold, give one",
         printable(request.method));
  }
  if (request.constraint || request.sampler.editing || request.sampler.remask) {
    fail(
        "[method] '{}' moves its block on with every step, which goes neither with a schema nor "
        "with editing or remasking",
        printable(request.method));
  }
}

/// Throws Error unless a step may leave masks out.
void check_choice(const Request& request) {
  const SamplerOptions& sampler = request.sampler;
  if (sampler.algorithm == Algorithm::random || sampler.algorithm == Algorithm::origin) {
    fail(ErrorCode::sampler,
         "[method] '{}' looks at the positions that are surest: found algorithm {}, expected one "
         "that asks for these",
         printable(request.method), algorithm_name(sampler.algorithm));
  }
  if (sampler.editing || sampler.remask) {
    fail(ErrorCode::sampler,
         "[method] '{}' looks at some positions of the block only, which does not go with editing "
         "or remasking",
         printable(request.method));
  }
}

/// Throws Error unless holes can find their length.
void check_growth(const Request& request, const ModelConfig& config, const Method& method) {
  const HoleGrowth& growth = *request.growth;
  if (request.block_length < request.gen_length() || request.most_length > 0) {
    fail("[request] holes that grow: found several blocks, expected one");
  }
  if (request.constraint || request.sampler.editing || request.sampler.remask ||
      request.cfg_scale > 0 || request.alternatives) {
    fail(
        "[request] holes that grow go neither with a schema nor with editing, remasking, guidance "
        "or log-probabilities");
  }
  if (!method.allows_moves()) {
    fail(
        "[method] '{}' keeps what it knows by position, which does not go with holes that grow; "
        "use method full",
        printable(request.method));
  }
  for (const TokenId id : {growth.expand_id, growth.delete_id.value_or(0), growth.end_id}) {
    if (id < 0 || id >= config.vocab_size) {
      fail("[request] token id {} is outside the vocabulary of {}", id, config.vocab_size);
    }
  }
  if (growth.expansions < 0 || growth.most_tokens < static_cast<int>(request.tokens.size())) {
    fail(
        "[request] holes that grow: found {} expansions and at most {} tokens, expected at least "
        "0 and {}, the canvas",
        growth.expansions, growth.most_tokens, request.tokens.size());
  }
}

/// Throws Error unless the constraint can be kept.
void check_constraint(const Request& request, const ModelConfig& config) {
  const Witness shortest(request.constraint, request.gen_length());
  const SamplerOptions& sampler = request.sampler;
  UNMASK_CHECK(request.constraint->n_tokens() <= config.vocab_size, "tokens of another model");
  if (sampler.editing || sampler.remask) {
    fail(ErrorCode::sampler,
         "[sampler] editing and remasking: found one of them with a schema, expected none");
  }
  if (sampler.top_p || sampler.top_k || sampler.suppress_eos || sampler.defer_eos ||
      sampler.attach_eos || sampler.credit) {
    fail(
        ErrorCode::sampler,
        "[sampler] top_p, top_k, credit, suppress_eos, defer_eos and attach_eos: found one of them "
        "with a schema, which says itself what may follow, expected none");
  }
  const auto masks = std::count(request.tokens.begin() + request.prompt_length,
                                request.tokens.end(), config.mask_id);
  if (masks != request.gen_length()) {
    fail("[request] answer with a schema: found {} given tokens, expected masks only",
         request.gen_length() - masks);
  }
}

/// Throws Error unless the steps of a request can be drafted.
void check_drafts(const Request& request, const ModelConfig& config, const Method& method) {
  if (!method.takes_drafts()) {
    fail(ErrorCode::sampler,
         "[sampler] drafts: found method '{}', whose passes depend on the steps before; what takes "
         "drafts is {}",
         printable(request.method), fmt::join(drafting_methods(config), ", "));
  }
  const char* found = request.cfg_scale > 0 ? "guidance"
                      : request.constraint  ? "a schema"
                      : request.growth      ? "holes that grow"
                      : request.observe     ? "an observer of attention"
                                            : nullptr;
  if (found != nullptr) {
    fail(ErrorCode::sampler, "[sampler] drafts: found {}, which goes without them", found);
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
  if (!(request.cfg_scale >= 0 && request.cfg_scale <= kMostGuidance)) {
    fail("[request] guidance: found {}, expected a number from 0 to {}", request.cfg_scale,
         kMostGuidance);
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
  if (request.constraint) check_constraint(request, config);
  if (request.alternatives && *request.alternatives < 0) {
    fail("[request] alternatives: found {}, expected at least 0", *request.alternatives);
  }
  const auto method = create_method(request.method, {config, request.sampler.seed});
  if (method->slides()) check_sliding(request);
  if (method->leaves_masks_out()) check_choice(request);
  if (request.growth) check_growth(request, config, *method);
  if (request.sampler.drafts) check_drafts(request, config, *method);
  if (method->needs_order() && request.sampler.algorithm != Algorithm::random) {
    fail(ErrorCode::sampler,
         "[method] '{}' needs to know beforehand which positions a step decides: use algorithm "
         "random, not '{}'",
         printable(request.method), algorithm_name(request.sampler.algorithm));
  }
}

}  // namespace unmask
