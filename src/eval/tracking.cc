// Variable tracking: "Set alpha = 4821." ... "Set beta = alpha."
#include <fmt/format.h>

#include "eval/tasks.h"
#include "eval/words.h"

namespace unmask {

namespace {

constexpr int kChains = 2;  // the other one has another value
constexpr int kLinks = 3;   // variables of a chain: two steps from the value to the last

struct Chain {
  std::vector<std::string> names{};
  std::vector<std::string> facts{};
};

Chain make_chain(std::span<const int> variables, int value) {
  Chain chain;
  std::string source = fmt::format("{:04}", value);
  for (const int v : variables) {
    std::string name(words::kVariables[static_cast<size_t>(v)]);
    chain.facts.push_back(fmt::format("Set {} = {}.", name, source));
    chain.names.push_back(name);
    source = std::move(name);
  }
  return chain;
}

}  // namespace

Puzzle make_tracking(Draw& draw, const Room& room) {
  const std::vector<int> variables =
      draw.sample(static_cast<int>(words::kVariables.size()), kChains * kLinks);
  const std::vector<int> values = draw.sample(10'000, kChains);
  std::vector<Chain> chains;
  std::vector<size_t> turns;  // whose next assignment comes
  for (size_t c = 0; c < kChains; ++c) {
    chains.push_back(make_chain(std::span(variables).subspan(c * kLinks, kLinks), values[c]));
    turns.insert(turns.end(), kLinks, c);
  }
  draw.shuffle(turns);
  std::vector<std::string> facts;
  facts.reserve(turns.size());
  std::vector<size_t> told(kChains, 0);
  for (const size_t c : turns) facts.push_back(chains[c].facts[told[c]++]);
  const std::string question = fmt::format("Which variables have the value {:04}?", values[0]);
  return {hide(draw, std::move(facts), FactOrder::given, question, room), chains[0].names};
}

}  // namespace unmask
