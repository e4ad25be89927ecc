#include "eval/filler.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/ranges.h>

#include "core/error.h"
#include "eval/words.h"

namespace unmask {

namespace {

constexpr int kTries = 8;  // sentences that are too long for what is left

std::string filler_sentence(Draw& draw) {
  if (draw.chance(0.15)) return std::string(draw.pick(words::kShortSentences));
  // One after the other: compilers differ in the order in which they evaluate arguments.
  const std::string_view place = draw.pick(words::kPlaces);
  const std::string_view verb = draw.pick(words::kVerbs);
  const std::string_view subject = draw.pick(words::kSubjects);
  std::string sentence = fmt::format("{} {} {}", subject, verb, place);
  if (draw.chance(0.55)) sentence += fmt::format(" {}", draw.pick(words::kTails));
  if (draw.chance(0.12)) sentence = fmt::format("{}, {}", draw.pick(words::kTails), sentence);
  sentence.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence.front())));
  return sentence + '.';
}

std::vector<std::string> filler(Draw& draw, int tokens, const Room& room) {
  std::vector<std::string> sentences;
  for (int misses = 0; misses < kTries;) {
    std::string sentence = filler_sentence(draw);
    const int size = room.count(" " + sentence);
    if (size > tokens) {
      ++misses;
      continue;
    }
    tokens -= size;
    sentences.push_back(std::move(sentence));
  }
  return sentences;
}

constexpr std::array kWordings{"last", "first", "both"};

}  // namespace

std::vector<std::string> wording_names() { return {kWordings.begin(), kWordings.end()}; }

Wording parse_wording(std::string_view name) {
  const auto* found = std::find(kWordings.begin(), kWordings.end(), name);
  if (found == kWordings.end()) {
    fail("[eval] unknown wording '{}'; there is {}", printable(name), fmt::join(kWordings, ", "));
  }
  return static_cast<Wording>(found - kWordings.begin());
}

Frame frame_of(std::string_view question, Wording wording) {
  const std::string asked = fmt::format("Question: {}", question);
  return {wording == Wording::last ? "Text:" : asked + " Text:",
          wording == Wording::first ? "" : " " + asked};
}

std::string hide(Draw& draw, std::vector<std::string> facts, FactOrder order,
                 std::string_view question, const Room& room) {
  const Frame frame = frame_of(question, room.wording);
  int left = room.tokens - room.count(frame.before) - room.count(frame.after);
  for (const std::string& fact : facts) left -= room.count(" " + fact);
  if (left < 0) {
    fail(ErrorCode::canvas_length,
         "[eval] a prompt of {} tokens cannot hold {} facts and a question", room.tokens,
         facts.size());
  }
  if (order == FactOrder::any) draw.shuffle(facts);
  std::vector<std::string> sentences = filler(draw, left, room);
  const auto total = static_cast<int>(sentences.size() + facts.size());
  std::vector<int> places = draw.sample(total, static_cast<int>(facts.size()));
  std::sort(places.begin(), places.end());
  for (size_t i = 0; i < facts.size(); ++i) {
    sentences.insert(sentences.begin() + places[i], std::move(facts[i]));
  }
  return fmt::format("{} {}{}", frame.before, fmt::join(sentences, " "), frame.after);
}

}  // namespace unmask
