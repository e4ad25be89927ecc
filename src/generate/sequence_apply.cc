// What a step's statistics do to a sequence: decisions, revisions, the end of a block and of the
// text.
#include <algorithm>
#include <iterator>

#include "generate/hole_growth.h"
#include "generate/sequence.h"

namespace unmask {

std::vector<Decision> Sequence::follow_witness(std::span<Candidate> candidates,
                                               std::span<const ConstrainedRow> rows) {
  UNMASK_CHECK(rows.size() == candidates.size(), "one reduced row for each candidate");
  const auto tokens = std::span(tokens_).subspan(static_cast<size_t>(block_.begin),
                                                 static_cast<size_t>(block_.size()));
  std::vector<ClassMaxima> maxima;
  std::vector<std::optional<size_t>> candidate_of;  // of each mask in the block
  size_t next = 0;
  for (int p = block_.begin; p < block_.end; ++p) {
    if (tokens_[static_cast<size_t>(p)] != config_.mask_id) continue;
    while (next < candidates.size() && candidates[next].position < p) ++next;
    const bool known = next < candidates.size() && candidates[next].position == p;
    maxima.push_back(known ? rows[next].best : ClassMaxima{});
    candidate_of.push_back(known ? std::optional(next) : std::nullopt);
  }
  const int behind = static_cast<int>(tokens_.size()) - block_.end;
  const WitnessPath path = witness_->search({tokens, config_.mask_id, behind}, maxima);
  hurried_ = hurried_ || path.hurried;
  std::vector<Decision> forced;
  for (size_t i = 0; i < path.open.size(); ++i) {
    if (!candidate_of[i]) continue;
    const WitnessToken& found = path.open[i];
    Candidate& candidate = candidates[*candidate_of[i]];
    const int token_class = request_.constraint->classes()[static_cast<size_t>(found.token)];
    candidate.stats.token = found.token;
    candidate.stats.probability =
        rows[*candidate_of[i]].probabilities[static_cast<size_t>(token_class)];
    if (!found.forced) continue;
    forced.push_back({candidate.position, found.token, confidence(request_.sampler, candidate)});
  }
  return forced;
}

std::vector<Decision> Sequence::choose(std::span<const Candidate> candidates,
                                       const Budget& budget) {
  const SamplerOptions options = sampler();
  edited_ = 0;
  if (options.remask) {
    const double left = 1 - (in_block_ + 1.0) / schedule_->steps();
    const auto masks = static_cast<int>(static_cast<double>(candidates.size()) * left);
    return remask(options, candidates, tokens_, masks, config_.mask_id);
  }
  if (!options.editing) return decide(options, candidates, budget, index_);
  std::vector<Candidate> open;
  std::vector<Candidate> closed;
  for (const Candidate& c : candidates) (masked(c.position) ? open : closed).push_back(c);
  std::vector<Decision> decided = decide(options, open, budget, index_);
  const std::vector<Decision> edits = find_edits(options, closed, tokens_);
  edited_ = static_cast<int>(edits.size());
  decided.insert(decided.end(), edits.begin(), edits.end());
  std::sort(decided.begin(), decided.end(),
            [](const Decision& a, const Decision& b) { return a.position < b.position; });
  return decided;
}

void Sequence::hold_ends(std::span<Candidate> candidates) const {
  const auto generated = std::span(tokens_).subspan(static_cast<size_t>(request_.prompt_length));
  if (std::ranges::any_of(generated, [&](TokenId token) { return ends(token); })) return;
  for (Candidate& c : candidates) {
    const bool attached = c.position == 0 || !masked(c.position - 1);
    if (ends(c.stats.token) && !attached) c.stats.probability = 0;
  }
}

void Sequence::apply(std::span<const TokenStats> stats, std::span<const ConstrainedRow> rows) {
  UNMASK_CHECK(stats.size() == read_.size(), "one statistic for each position that was read");
  measure_end(stats.subspan(candidates_.size()));
  stats = stats.first(candidates_.size());
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < stats.size(); ++i) candidates.push_back({candidates_[i], stats[i]});
  if (request_.sampler.attach_eos) hold_ends(candidates);
  std::vector<Decision> forced;
  if (witness_ && !candidates.empty()) forced = follow_witness(candidates, rows);
  for (const Candidate& c : candidates) {
    confidence_[static_cast<size_t>(c.position)] = static_cast<float>(c.stats.probability);
  }
  const Budget budget = plan_decides_
                            ? Budget{.count = static_cast<int>(stats.size()), .probability = 1}
                            : schedule_->budget(in_block_, masks_in({0, block_.end}));
  std::vector<Decision> decided = choose(candidates, budget);
  if (request_.sampler.drafts && !candidates.empty()) {
    std::erase_if(candidates, [&](const Candidate& c) {
      return std::ranges::count(decided, c.position, &Decision::position) > 0;
    });
    proposed_ = std::move(candidates);
  }
  const auto is_before = [](const Decision& a, const Decision& b) {
    return a.position < b.position;
  };
  std::vector<Decision> all;
  std::set_union(decided.begin(), decided.end(), forced.begin(), forced.end(),
                 std::back_inserter(all), is_before);
  apply(std::move(all));
}

void Sequence::apply(std::vector<Decision> decided) {
  decided_ = std::move(decided);
  last_decided_.clear();
  for (const Decision& d : decided_) {
    tokens_[static_cast<size_t>(d.position)] = d.token;
    last_decided_.push_back(d.position);
  }
  if (request_.growth) {
    const int before = static_cast<int>(tokens_.size());
    const Grown grown =
        grow_holes(*request_.growth, room_to_grow(), config_.mask_id, tokens_, decided_);
    expanded_ += grown.expanded;
    moved_ = grown.moved;
    block_.end += static_cast<int>(tokens_.size()) - before;
    if (moved_) last_decided_.clear();
  }
  finish_step();
}

int Sequence::room_to_grow() const {
  const HoleGrowth& growth = *request_.growth;
  return std::max(0, std::min(growth.expansions - expanded_,
                              growth.most_tokens - static_cast<int>(tokens_.size())));
}

void Sequence::finish_step() {
  ++index_;
  ++in_block_;
  if (method_->slides()) slide();
  const bool done = block_done();
  if (stops(done)) {
    const TokenId filler = tokens_[static_cast<size_t>(*settled_end())];
    stopped_early_ = index_ < planned_steps_ || masks_left() > 0;
    std::replace(tokens_.begin() + *settled_end(), tokens_.end(), config_.mask_id, filler);
    done_ = true;
    return;
  }
  if (!done) {
    begin_step();
  } else if (block_.end < static_cast<int>(tokens_.size()) || grow()) {
    begin_block();
  } else {
    done_ = true;
  }
}

bool Sequence::block_done() {
  const SamplerOptions& sampler = request_.sampler;
  const bool full = masks_in(block_) == 0;
  if (sampler.editing) {
    return full && ((!had_masks_ && edited_ == 0) || rounds_ >= sampler.editing->rounds);
  }
  // Tokens without a choice may finish a block ahead of its schedule.
  const bool counted = !sampler.dynamic() && !sampler.counts;
  if ((!counted || witness_) && full) return true;
  return !sampler.dynamic() && in_block_ == schedule_->steps();
}

bool Sequence::stops(bool block_done) const {
  if (request_.early_stop && (!request_.sampler.editing || block_done)) {
    return settled_end().has_value();
  }
  if (!block_done || !(request_.stop_after_block || method_->stops_after_end())) return false;
  const Visibility visibility = config_.visibility.of(request_.prompt_length);
  const auto length = static_cast<int>(tokens_.size());
  const bool whole =
      !visibility.is_block_causal() || visibility.end(block_.end - 1, length) == block_.end;
  return whole && settled_end().has_value();
}

}  // namespace unmask
