// What the next steps may lead to, and whether they did.
#include <algorithm>

#include "generate/sequence.h"

namespace unmask {

std::vector<Draft> Sequence::draft(const SequencePass& planned) const {
  std::vector<Draft> drafts;
  if (!request_.sampler.drafts) return drafts;
  const bool alone =
      plan_decides_ || read_.size() > candidates_.size() || planned.plan.rows.empty();
  if (!planned.plan.drafts || alone) return drafts;
  std::vector<Candidate> proposed = proposed_;
  Draft next{tokens_, candidates_, planned};
  next.pass.draft = true;
  // A block is left by the step of its last draft only, whose keys and values stay therefore.
  for (int ahead = 1; ahead < *request_.sampler.drafts; ++ahead) {
    const Step& now = next.pass.step;
    const auto open = static_cast<int>(
        std::count(next.tokens.begin(), next.tokens.begin() + block_.end, config_.mask_id));
    const std::vector<Decision> decided =
        decide(sampler(), proposed, schedule_->budget(now.in_block, open), now.index);
    for (const Decision& d : decided) {
      next.tokens[static_cast<size_t>(d.position)] = d.token;
      std::erase(next.read, d.position);
      std::erase_if(proposed, [&](const Candidate& c) { return c.position == d.position; });
    }
    const bool ends = next.read.empty() || now.in_block + 1 >= schedule_->steps();
    if (decided.empty() || ends) break;
    ++next.pass.step.index;
    ++next.pass.step.in_block;
    next.pass.step.last_decided = {};
    next.pass.wanted = rows_of(next.read, planned.plan);
    drafts.push_back(next);
  }
  for (Draft& d : drafts) d.pass.step.tokens = d.tokens;
  return drafts;
}

bool Sequence::is_drafted(const Draft& draft, const SequencePass& planned) const {
  return planned.plan.drafts && !plan_decides_ && tokens_ == draft.tokens && read_ == draft.read &&
         block_ == draft.pass.step.block && planned.plan.rows == draft.pass.plan.rows;
}

}  // namespace unmask
