#include "generate/row_reader.h"

#include "generate/check_stats.h"

namespace unmask {

RowReading RowReader::read(RunningRequest& r, Tensor hidden, std::span<const int> positions,
                           int step) {
  const Sequence& sequence = r.sequence;
  const Request& request = sequence.request();
  const TokenAutomaton* const constraint = request.constraint.get();
  const bool to_host = constraint != nullptr || request.alternatives || r.credit;
  TokenQuery query = sequence.query();
  query.step = step;
  RowReading reading{.stats = std::vector<TokenStats>(positions.size())};
  const std::span<TokenStats> stats = reading.stats;
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
                                 stats.subspan(first, count));
    check_stats(stats.subspan(first, count), positions.subspan(first, count),
                step);  // before anything is made of the rows
    for (size_t i = 0; to_host && i < count; ++i) {
      const auto row = std::span(host_).subspan(i * vocab, vocab);
      TokenStats& chosen = stats[first + i];
      const int position = positions[first + i];
      const bool decidable = first + i < sequence.candidates().size();
      if (r.credit && decidable) r.credit->vote(position, row, chosen);
      if (request.alternatives && decidable) {
        reading.considered[position] = find_alternatives(row, chosen.token, *request.alternatives);
      }
      if (constraint == nullptr) continue;
      reading.constrained.push_back(constrained_row(row, chosen, position, query, *constraint));
    }
  });
  return reading;
}

void RowReader::release() {
  tiles_.release();
  host_ = {};
}

}  // namespace unmask
