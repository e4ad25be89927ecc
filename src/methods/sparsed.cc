#include "methods/sparsed.h"

#include <algorithm>
#include <cmath>

#include "methods/column_choice.h"
#include "methods/options.h"

namespace unmask {

namespace {

/// First block without a prompt position; the last block where the border lies within it.
int first_generation_block(const Step& step, int block) {
  const int blocks = (step.length() + block - 1) / block;
  return std::min((step.prompt_length + block - 1) / block, blocks - 1);
}

/// The same lists; those of the blocks from `first` on have all of these.
BlockPattern with_own_blocks(int first, const BlockPattern& pattern) {
  BlockPattern own(pattern.block_size(), pattern.n_heads(), pattern.n_blocks());
  for (int head = 0; head < pattern.n_heads(); ++head) {
    for (int query = 0; query < pattern.n_blocks(); ++query) {
      const auto ranked = pattern.list(head, query);
      std::vector<uint16_t> list(ranked.begin(), ranked.end());
      if (query >= first) {
        std::erase_if(list, [&](uint16_t block) { return block >= first; });
        for (int block = first; block < pattern.n_blocks(); ++block) {
          list.push_back(static_cast<uint16_t>(block));
        }
      }
      own.append(list);
    }
  }
  return own;
}

}  // namespace

SparseD::Settings SparseD::read(Options& options, const ModelConfig& config) {
  Settings s;
  s.skip = options.number("skip", s.skip, 0, 1);
  s.block = options.count("block", s.block, 8, 128);
  s.every = options.count("every", s.every, 0, 1000000);
  s.reuse = options.flag("reuse", s.reuse);
  s.own = options.flag("own", s.own);
  s.selection.select = options.number("select", s.selection.select, 0, 1);
  s.selection.coverage = options.number("coverage", s.selection.coverage, 0, 1);
  s.selection.isolated = options.flag("isolated", s.selection.isolated);
  s.columns = options.choice("unit", {"block", "column"}) == "column";
  for (const char* name : {"isolated", "own", "scale"}) {
    if (s.columns && options.given(name)) {
      fail(
          "[method] sparsed: option '{}': found with unit=column, which ranks the prompt's keys by "
          "attention itself and keeps the generation's",
          name);
    }
  }
  // The released LLaDA code divides by the root of the number of heads, which sharpens the ranking;
  // the published results are its results.
  const bool released = options.choice("scale", {"released", "paper"}) == "released";
  const bool by_heads = released && config.family == Family::llada;
  s.scale = 1 / std::sqrt(static_cast<float>(by_heads ? config.n_heads : config.head_dim));
  return s;
}

SparseD::Pass SparseD::pass_of(const Step& step) const {
  // Where the early steps end is numbered as the released code does.
  if (step.index < static_cast<int>(step.total * settings_.skip) + 1) return Pass::full;
  if (!last_measured_ || measured_length_ != step.length()) return Pass::measuring;
  const bool again = settings_.every > 0 && step.index - *last_measured_ >= settings_.every;
  return again ? Pass::measuring : Pass::sparse;
}

StepPlan SparseD::plan_step(const Step& step) {
  pass_ = pass_of(step);
  if (pass_ == Pass::sparse && !settings_.reuse) {
    StepPlan plan = Method::plan_step(step);
    plan.queries = step.all();
    return plan;
  }
  if (pass_ != Pass::measuring) return Method::plan_step(step);
  // A measurement takes place even where nothing is due: later steps need its patterns.
  last_measured_ = step.index;
  measured_length_ = step.length();
  return {.rows = Rows(step.all()), .queries = step.all()};
}

void SparseD::prepare_importance(const Step& step) {
  importance_.block_size = settings_.block;
  importance_.scale = settings_.scale;
  first_own_ = step.prompt_length / settings_.block;
  importance_.first_generation_block = first_generation_block(step, settings_.block);
  importance_.selection = settings_.selection;
  importance_.chosen = {};
}

void SparseD::choose_now(AttendScope& scope) {
  patterns_[static_cast<size_t>(scope.layer)] =
      choose_columns(scope, settings_.block, settings_.selection);
}

void SparseD::measure_now(AttendScope& scope) {
  if (settings_.columns) return choose_now(scope);
  prepare_importance(scope.step);
  const size_t bytes = dense_bytes(scope.q.rows, scope.q.cols, scope.q.dtype);
  if (unused_.bytes() < bytes) unused_ = scope.backend.allocate(bytes);
  const AttentionTask dense{.q = scope.q,
                            .kv = {scope.k, scope.v},
                            .out = unused_.view(scope.q.rows, scope.q.cols, scope.q.dtype),
                            .importance = &importance_};
  scope.backend.attention({&dense, 1}, scope.shape);
  attended(scope.layer, importance_);
}

Attention SparseD::attend(AttendScope& scope) {
  Attention attention{{scope.k, scope.v}};
  if (pass_ == Pass::measuring && settings_.columns) {
    choose_now(scope);
  } else if (pass_ == Pass::measuring) {
    prepare_importance(scope.step);
    attention.importance = &importance_;
  } else if (pass_ == Pass::sparse) {
    if (!settings_.reuse) measure_now(scope);
    attention.pattern = &patterns_[static_cast<size_t>(scope.layer)];
  }
  return attention;
}

void SparseD::attended(int layer, BlockImportance& importance) {
  const bool chosen = importance.chosen.n_blocks() > 0;
  BlockPattern& pattern = patterns_[static_cast<size_t>(layer)];
  pattern = chosen ? std::move(importance.chosen) : select_blocks(importance, settings_.selection);
  if (settings_.own) pattern = with_own_blocks(first_own_, pattern);
}

}  // namespace unmask
