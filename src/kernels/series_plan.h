// A series of steps for a backend to take alone, and what it revealed.
#pragma once

#include <vector>

#include "kernels/token_query.h"

namespace unmask {

/// The statistic of a row (TokenStats) by which the surest rows are found.
enum class Surety : uint8_t { probability, margin, neg_entropy };

/// Equal steps, of which only the tokens of the rows differ.
struct SeriesPlan {
  std::vector<TokenId>
      tokens{};               // of the rows that every step computes, as the first step sees them
  std::vector<int> open{};    // indices of the rows that may get a token, ascending
  std::vector<int> counts{};  // rows that each step decides; there are as many steps as counts
  TokenQuery query{};         // without temperature and filters
  Surety surety = Surety::probability;
};

/// What became of an open row.
struct Revealed {
  int step;  // that decided it, counted from 0; as many as there are steps: it is still open
  TokenId token;
  float confidence;  // by the plan's surety
};

}  // namespace unmask
