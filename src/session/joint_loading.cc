#include "session/joint_loading.h"

#include <nlohmann/json.hpp>

namespace unmask {

namespace {

constexpr std::string_view kLoad = "load";
constexpr std::string_view kEnd = "end";

void send_text(Communicator& ranks, std::string_view text) {
  ranks.send(std::as_bytes(std::span(text)));
}

std::string name_of(size_t rank, const Communicator& ranks) {
  return fmt::format("rank {} of {}", rank, ranks.size());
}

}  // namespace

std::string_view rank_split_name(RankSplit split) {
  return split == RankSplit::rows ? "rows" : "columns";
}

RankSplit parse_rank_split(std::string_view name) {
  for (const RankSplit split : {RankSplit::columns, RankSplit::rows}) {
    if (name == rank_split_name(split)) return split;
  }
  fail("[ranks] split: found {}, expected columns or rows", printable(name));
}

bool wait_for_loading(Communicator& ranks) {
  const std::vector<std::byte> message = ranks.receive();
  const std::string_view text(reinterpret_cast<const char*>(message.data()), message.size());
  UNMASK_CHECK(text == kLoad || text == kEnd, "rank 0 loads or ends");
  return text == kLoad;
}

void end_loading(Communicator& ranks) { send_text(ranks, kEnd); }

JointLoading::JointLoading(Communicator& ranks, RankFacts facts, const JointOptions& options)
    : ranks_(ranks), facts_(std::move(facts)), options_(options) {
  facts_.emplace_back("split", rank_split_name(options.split));
  facts_.emplace_back("verification of ranks", options.verifies ? "on" : "off");
  if (ranks.leads()) send_text(ranks, kLoad);
}

JointLoading::~JointLoading() {
  if (state_ == State::over) return;
  try {
    exchange(State::over, /*failed=*/true, {});
  } catch (...) {  // what ended this rank is on its way already
  }
}

void JointLoading::agree(RankFacts model) {
  facts_.insert(facts_.end(), model.begin(), model.end());
  exchange(State::loading, /*failed=*/false, facts_);
}

void JointLoading::finish() { exchange(State::over, /*failed=*/false, {}); }

void JointLoading::exchange(State next, bool failed, const RankFacts& facts) {
  nlohmann::ordered_json statement{{"failed", failed}};
  for (const auto& [name, value] : facts) statement["facts"][name] = value;
  state_ = State::over;  // unless all agree
  const std::vector<std::string> texts = gather_texts(ranks_, statement.dump());
  std::vector<nlohmann::ordered_json> all;
  all.reserve(texts.size());
  for (const std::string& text : texts) all.push_back(nlohmann::ordered_json::parse(text));
  for (size_t r = 0; r < all.size(); ++r) {
    if (!all[r]["failed"].get<bool>()) continue;
    throw RankError(fmt::format("[ranks] {} could not load the model", name_of(r, ranks_)));
  }
  for (const auto& [name, value] : facts) {
    for (size_t r = 1; r < all.size(); ++r) {
      const std::string first = all[0]["facts"].value(name, "none");
      const std::string other = all[r]["facts"].value(name, "none");
      if (other == first) continue;
      throw RankError(fmt::format("[ranks] {}: found {} on {}, expected {} as on rank 0", name,
                                  printable(other), name_of(r, ranks_), printable(first)));
    }
  }
  state_ = next;
}

}  // namespace unmask
