// Steps that were evaluated in the pass of an earlier one.
#include "core/error.h"
#include "generate/engine.h"
#include "generate/row_reader.h"
#include "generate/running_request.h"

namespace unmask {

void Engine::read_drafts(RunningRequest& r, Tensor hidden) {
  int begin = 0;
  for (Draft& draft : r.drafts) {
    const Range rows{begin, begin + draft.pass.wanted.size()};
    begin = rows.end;
    try {
      draft.reading = rows_->read(r, hidden.slice(rows), draft.read, draft.pass.step.index);
    } catch (const Error& error) {
      // The canvas of a wrong guess may be one that the request never has.
      if (error.code() != ErrorCode::not_finite) throw;
      return;
    }
  }
}

void Engine::take_drafts(RunningRequest& r) {
  for (Draft& next : std::exchange(r.drafts, {})) {
    if (r.over() || next.reading.stats.empty() || !plan(r)) return;
    if (!r.sequence.is_drafted(next, *r.planned)) return;
    r.planned.reset();
    r.begin_step(0);
    r.reading = std::move(next.reading);
    r.decide();
    r.end_step(r.seconds());
    notify(r);
  }
}

}  // namespace unmask
