#include "generate/row_reader.h"

#include "generate/check_stats.h"

namespace unmask {

void RowReader::read(RunningRequest& r, Tensor hidden) {
  const Sequence& sequence = r.sequence;
  const Request& request = sequence.request();
  const TokenAutomaton* const constraint = request.constraint.get();
  const bool to_host = constraint != nullptr || request.alternatives || r.credit;
  const TokenQuery query = sequence.query();
  const std::span<const int> positions = sequence.read_positions();
  std::vector<TokenStats> stats(positions.size());
  if (r.credit) r.credit->begin_pass(sequence.step().block.begin);
  tiles_.each(hidden, [&](Tensor logits, int begin) {
    const auto first = static_cast<size_t>(begin);
    const auto count = static_cast<size_t>(logits.rows);
    const auto vocab = static_cast<size_t>(logits.cols);
    if (to_host) {  // before the statistics use the rows as scratch
      host_.resize(count * vocab);
      model_.backend().download(logits, host_.data());
    }
    model_.backend().token_stats(logits, positions.subspan(first, count), query,
                                 std::span(stats).subspan(first, count));
    check_stats(std::span(stats).subspan(first, count), positions.subspan(first, count),
                sequence.step_index());  // before anything is made of the rows
    for (size_t i = 0; to_host && i < count; ++i) {
      const auto row = std::span(host_).subspan(i * vocab, vocab);
      TokenStats& chosen = stats[first + i];
      const int position = positions[first + i];
      const bool decidable = first + i < sequence.candidates().size();
      if (r.credit && decidable) r.credit->vote(position, row, chosen);
      if (request.alternatives && decidable) {
        r.considered[position] = find_alternatives(row, chosen.token, *request.alternatives);
      }
      if (constraint == nullptr) continue;
      r.constrained.push_back(constrained_row(row, chosen, position, query, *constraint));
    }
  });
  r.stats = std::move(stats);
}

void RowReader::release() {
  tiles_.release();
  host_ = {};
}

}  // namespace unmask
