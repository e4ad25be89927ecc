#include "generate/sequence.h"

#include <algorithm>
#include <numeric>

#include "generate/prefix_pool.h"

namespace unmask {

namespace {

/// Where `position` stands among ascending rows.
std::optional<int> index_of(const Rows& rows, int position) {
  const auto found = std::lower_bound(rows.begin(), rows.end(), position);
  if (found == rows.end() || *found != position) return std::nullopt;
  return static_cast<int>(found - rows.begin());
}

}  // namespace

Sequence::Sequence(Request request, const ModelConfig& config)
    : request_(std::move(request)),
      config_(config),
      tokens_(request_.tokens),
      method_(create_method(request_.method, {config, request_.sampler.seed})),
      stores_(static_cast<size_t>(config.n_layers)) {
  if (request_.observe) method_ = request_.observe(std::move(method_));
  if (guided()) {
    // Guidance compares with the same canvas whose given tokens are unknown.
    Twin twin{tokens_, create_method(request_.method, {config, request_.sampler.seed}), {}};
    std::fill_n(twin.tokens.begin(), request_.prompt_length, config.mask_id);
    twin.stores.resize(stores_.size());
    twin_ = std::move(twin);
  }
  if (request_.constraint) witness_.emplace(request_.constraint, request_.gen_length());
  planned_steps_ = count_steps(request_.generated().end);
  most_steps_ =
      count_steps(request_.prompt_length + std::max(request_.gen_length(), request_.most_length));
  if (request_.sampler.dynamic() || request_.growth) {
    const int growth = request_.most_tokens() - request_.generated().end;
    most_steps_ = std::max(most_steps_, masks_left() + growth);
  }
  if (request_.growth) most_steps_ += 2 * request_.growth->expansions;
  if (request_.sampler.editing) {
    most_steps_ += (request_.sampler.editing->rounds + 1) * request_.blocks();
  }
  block_ = {request_.prompt_length, request_.prompt_length};
  begin_block();
}

int Sequence::resume(PrefixPool& pool, Backend& backend) {
  // Both passes of guidance compute the same rows, and the one without the prompt shares nothing.
  if ((!method_->reusable() && method_->reusable_block() == 0) || guided()) return 0;
  // Where row p - 1 predicts p, the prompt's last row belongs to the first block of the text.
  const int own = method_->reusable_block() > 0 ? config_.logit_shift : 0;
  const auto prompt = std::span(tokens_).first(static_cast<size_t>(request_.prompt_length - own));
  pooled_ = pool.lend(backend, prompt, reusable_blocks(), stores_);
  if (pooled_ > 0) method_->resume(pooled_);
  return pooled_;
}

void Sequence::keep(PrefixPool& pool, Backend& backend) {
  const int reusable = method_->reusable().value_or(0);
  if (reusable <= pooled_) return;
  pooled_ = reusable;
  pool.keep(backend, std::span(tokens_).first(static_cast<size_t>(reusable)), reusable_blocks(),
            stores_);
}

Visibility Sequence::reusable_blocks() const {
  const int block = method_->reusable_block();
  return block > 0 ? Visibility::block_causal(block)
                   : config_.visibility.of(request_.prompt_length);
}

Range Sequence::block_at(int begin) const {
  const int own_end = request_.generated().end;
  const int end = begin < own_end ? own_end : request_.prompt_length + request_.most_length;
  const bool first = begin == request_.prompt_length && request_.first_block > 0;
  return {begin, std::min(begin + (first ? request_.first_block : request_.block_length), end)};
}

int Sequence::steps_in(Range block) const {
  if (request_.steps_per_block > 0) return request_.steps_per_block;
  const auto steps_before = [&](int position) {
    return int64_t{request_.steps} * (position - request_.prompt_length) / request_.gen_length();
  };
  return static_cast<int>(
      std::max(int64_t{1}, steps_before(block.end) - steps_before(block.begin)));
}

int Sequence::count_steps(int end) const {
  int sum = 0;
  for (Range block = block_at(request_.prompt_length); block.begin < end;
       block = block_at(block.end)) {
    sum += steps_in(block);
  }
  return sum;
}

int Sequence::masks_in(Range range) const {
  return static_cast<int>(
      std::count(tokens_.begin() + range.begin, tokens_.begin() + range.end, config_.mask_id));
}

size_t Sequence::state_bytes() const {
  size_t sum = method_->state_bytes();
  for (const KvStore& store : stores_) sum += store.bytes();
  if (!twin_) return sum;
  sum += twin_->method->state_bytes();
  for (const KvStore& store : twin_->stores) sum += store.bytes();
  return sum;
}

int Sequence::masks_left() const {
  return masks_in({request_.prompt_length, static_cast<int>(tokens_.size())});
}

Range Sequence::window() const {
  const auto length = static_cast<int>(tokens_.size());
  int begin = 0;
  while (begin < length && !masked(begin)) ++begin;
  int end = begin;
  for (int masks = 0; end < length && masks < request_.block_length; ++end) {
    masks += masked(end) ? 1 : 0;
  }
  if (method_->slides() == Sliding::constant) end = std::min(end, begin + request_.block_length);
  return {begin, end};
}

void Sequence::slide() {
  decided_since_all_ += static_cast<int>(decided_.size());
  const bool begins = decided_since_all_ >= request_.block_length;
  if (begins && end_unseen_) grow();
  block_ = window();
  if (!begins) return;
  looked_ = false;
  in_block_ = 0;
  decided_since_all_ = 0;
}

void Sequence::begin_block() {
  if (witness_) {
    witness_->advance(std::span(tokens_).subspan(static_cast<size_t>(block_.begin),
                                                 static_cast<size_t>(block_.size())));
  }
  if (end_unseen_) grow();
  block_ = method_->slides() ? window() : block_at(block_.end);
  looked_ = false;
  in_block_ = 0;
  decided_since_all_ = 0;
  rounds_ = 0;
  proposed_.clear();
  schedule_.emplace(request_.sampler, masks_in(block_), steps_in(block_), request_.block_length);
  begin_step();
}

bool Sequence::grow() {
  end_unseen_ = false;
  if (request_.most_length == 0) return false;
  const Range next = block_at(static_cast<int>(tokens_.size()));
  if (next.size() <= 0 || settled_end()) return false;
  tokens_.resize(static_cast<size_t>(next.end), config_.mask_id);
  if (twin_) twin_->tokens.resize(tokens_.size(), config_.mask_id);
  planned_steps_ += steps_in(next);
  return true;
}

bool Sequence::looks_ahead() const {
  const auto end = static_cast<int>(tokens_.size());
  const bool may_grow = end < request_.prompt_length + request_.most_length;
  return request_.end_in_sight > 0 && may_grow && !looked_ && block_.end < end;
}

void Sequence::measure_end(std::span<const TokenStats> stats) {
  if (stats.empty()) return;
  looked_ = true;
  double sum = 0;
  for (const TokenStats& s : stats) sum += ends(s.token) ? s.probability : 0;
  end_unseen_ = sum / static_cast<double>(stats.size()) < request_.end_in_sight;
}

void Sequence::begin_step() {
  confidence_.resize(tokens_.size());
  const SamplerOptions& sampler = request_.sampler;
  const int open = masks_in({0, block_.end});
  due_.reset();
  had_masks_ = masks_in(block_) > 0;
  if (sampler.editing && !had_masks_) ++rounds_;
  if (sampler.editing || sampler.remask) {
    // Whatever is decided, the block is looked at again.
  } else if (open == 0) {
    due_ = 0;
  } else if (!sampler.dynamic() && sampler.algorithm != Algorithm::origin) {
    due_ = std::min(open, schedule_->budget(in_block_, open).count);
  }
  scheduled_.clear();
  if (sampler.algorithm != Algorithm::random) return;
  for (int p = 0; p < block_.end; ++p) {
    if (tokens_[static_cast<size_t>(p)] == config_.mask_id) scheduled_.push_back(p);
  }
  scheduled_ = random_order(sampler, std::move(scheduled_));
  scheduled_.resize(static_cast<size_t>(*due_));
}

Step Sequence::step() const {
  return {.index = index_,
          .total = planned_steps_,
          .in_block = in_block_,
          .due = due_,
          .block = block_,
          .prompt_length = request_.prompt_length,
          .tokens = tokens_,
          .mask_id = config_.mask_id,
          .last_decided = last_decided_,
          .scheduled = scheduled_,
          .confidence = confidence_};
}

SequencePass Sequence::plan() {
  const Step now = step();
  StepPlan plan = method_->plan_step(now);
  if (plan.prepares) {
    candidates_.clear();
    read_.clear();
    return {now, std::move(plan), method_.get(), &stores_, Rows()};
  }
  // What a steady step keeps the next one computes again.
  if (plan.steady && now.due == 0) plan.rows = Rows();
  plan_decides_ = plan.decides.size() > 0;
  threshold_scale_ = plan.threshold_scale;
  find_candidates(plan);
  find_read(plan);
  if (!plan.rows.empty() && candidates_.empty() && !plan_decides_ && now.due != 0 &&
      masks_in(block_) > 0) {
    throw LogicError(fmt::format("method '{}' planned no row that can decide a token in step {}",
                                 method_->name(), index_));
  }
  Rows wanted = rows_of(read_, plan);
  return {now, std::move(plan), method_.get(), &stores_, std::move(wanted)};
}

SequencePass Sequence::plan_unconditional() {
  // The twin knows what was generated so far, and nothing of the prompt.
  std::copy(tokens_.begin() + request_.prompt_length, tokens_.end(),
            twin_->tokens.begin() + request_.prompt_length);
  Step now = step();
  now.tokens = twin_->tokens;
  StepPlan plan = twin_->method->plan_step(now);
  Rows wanted = rows_of(read_, plan);
  return {.step = now,
          .plan = std::move(plan),
          .method = twin_->method.get(),
          .stores = &twin_->stores,
          .wanted = std::move(wanted),
          .follows = true};
}

std::optional<int> Sequence::deciding_row(const Rows& rows, int position) const {
  return index_of(rows, std::max(0, position - config_.logit_shift));
}

void Sequence::find_candidates(const StepPlan& plan) {
  candidates_.clear();
  std::vector<int> eligible = scheduled_;
  std::sort(eligible.begin(), eligible.end());
  if (plan_decides_ || (scheduled_.empty() && due_ != 0)) {
    const Range range = plan_decides_ ? plan.decides : Range{0, block_.end};
    eligible.resize(static_cast<size_t>(range.size()));
    std::iota(eligible.begin(), eligible.end(), range.begin);
  }
  const bool edits = request_.sampler.editing && !plan_decides_;
  for (const int p : eligible) {
    const bool again = request_.sampler.remask || (edits && block_.contains(p));
    const bool open = masked(p) || (again && is_free(p));
    const bool chosen = !plan.candidates || std::ranges::binary_search(*plan.candidates, p);
    if (open && chosen && deciding_row(plan.rows, p)) candidates_.push_back(p);
  }
}

bool Sequence::is_free(int position) const {
  if (position < request_.prompt_length) return false;
  const auto p = static_cast<size_t>(position);
  return p >= request_.tokens.size() || request_.tokens[p] == config_.mask_id;
}

void Sequence::find_read(const StepPlan& plan) {
  read_ = candidates_;
  if (!looks_ahead()) return;
  const auto end = static_cast<int>(tokens_.size());
  for (int p = std::max(block_.end, end - request_.block_length); p < end; ++p) {
    if (masked(p) && deciding_row(plan.rows, p)) read_.push_back(p);
  }
}

Rows Sequence::rows_of(std::span<const int> positions, const StepPlan& plan) const {
  std::vector<int> wanted;
  for (const int p : positions) {
    const std::optional<int> row = deciding_row(plan.rows, p);
    UNMASK_CHECK(row.has_value(), "guidance must plan the same rows for both passes");
    wanted.push_back(*row);
  }
  return Rows(std::move(wanted));
}

void Sequence::read_only(const Rows& rows) {
  const auto lacks_row = [&](int p) { return !deciding_row(rows, p); };
  std::erase_if(candidates_, lacks_row);
  std::erase_if(read_, lacks_row);
}

TokenQuery Sequence::query() const {
  TokenQuery query = token_query(request_.sampler, config_.mask_id, request_.eos_ids, index_);
  if (request_.growth && room_to_grow() == 0) query.removed.push_back(request_.growth->expand_id);
  return query;
}

std::optional<SeriesPlan> Sequence::plan_series(const StepPlan& plan, int most_steps) const {
  const std::optional<Surety> surety = plain_surety(request_.sampler);
  const bool watched = request_.observe || request_.alternatives;
  const bool plain = surety && !request_.growth;
  const bool ahead = read_.size() > candidates_.size();
  if (!plan.steady || plan_decides_ || guided() || watched || witness_ || !plain || ahead) {
    return std::nullopt;
  }
  SeriesPlan series{.query = query(), .surety = *surety};
  int open = masks_in({0, block_.end});
  auto left = static_cast<int>(candidates_.size());
  const int end = std::min(schedule_->steps(), in_block_ + most_steps);
  for (int step = in_block_; step < end; ++step) {
    const int count = std::min(left, schedule_->budget(step, open).count);
    if (count <= 0) break;
    series.counts.push_back(count);
    open -= count;
    left -= count;
  }
  if (series.counts.size() < 2) return std::nullopt;
  for (const int p : plan.rows) series.tokens.push_back(tokens_[static_cast<size_t>(p)]);
  for (const int p : candidates_) {
    const std::optional<int> row = index_of(plan.rows, p);
    if (!row) return std::nullopt;  // no row would embed its token
    series.open.push_back(*row);
  }
  return series;
}

SamplerOptions Sequence::sampler() const {
  SamplerOptions options = request_.sampler;
  if (options.threshold) *options.threshold *= threshold_scale_;
  return options;
}

int Sequence::settled() const {
  const auto first_mask = std::find(tokens_.begin(), tokens_.end(), config_.mask_id);
  const auto open = static_cast<int>(first_mask - tokens_.begin());
  if (done_) return open;
  if (request_.sampler.remask) return request_.prompt_length;
  return request_.sampler.editing ? std::min(open, block_.begin) : open;
}

void Sequence::cancel() {
  cancelled_ = true;
  done_ = true;
}

std::optional<int> Sequence::settled_end() const {
  for (int p = request_.prompt_length; p < static_cast<int>(tokens_.size()); ++p) {
    const TokenId token = tokens_[static_cast<size_t>(p)];
    if (token == config_.mask_id) return std::nullopt;
    if (ends(token)) return p;
  }
  return std::nullopt;
}

bool Sequence::ends(TokenId token) const {
  return std::count(request_.eos_ids.begin(), request_.eos_ids.end(), token) > 0;
}

}  // namespace unmask
