// Lists of words to be counted: common words (few words ten times as often as the others) and
// frequent words (code words whose frequencies fall with the square of their rank).
#include <algorithm>
#include <fmt/ranges.h>
#include <numbers>
#include <set>

#include "core/error.h"
#include "eval/tasks.h"
#include "eval/words.h"

namespace unmask {

namespace {

constexpr int kCommon = 10;      // words to find, as in RULER
constexpr int kTimesOften = 10;  // RULER: 30 times against 3
constexpr int kFrequent = 3;
constexpr int kFewestWords = kCommon * kTimesOften + kCommon;
constexpr int kCodeSyllables = 3;

using Words = std::vector<std::string>;

std::string with_question(const Words& list, const Frame& frame) {
  return fmt::format("{} Words: {}.{}", frame.before, fmt::join(list, " "), frame.after);
}

/// The prompt of a list `make_list(n)` that just fits.
template <typename MakeList>
std::string fill(const Room& room, std::string_view question, MakeList make_list) {
  const Frame frame = frame_of(question, room.wording);
  const auto tokens = [&](int n) { return room.count(with_question(make_list(n), frame)); };
  const int fewest = tokens(kFewestWords);
  if (fewest > room.tokens) {
    fail(ErrorCode::canvas_length,
         "[eval] a prompt of {} tokens cannot hold a list of {} words, which takes {}", room.tokens,
         kFewestWords, fewest);
  }
  // A word takes a token at least; how many it does take shows when there are many.
  int n = std::max(kFewestWords, room.tokens);
  for (int found = tokens(n); found > room.tokens; found = tokens(n)) {
    const double tokens_a_word = std::max(1.0, static_cast<double>(found) / n);
    n -= 1 + static_cast<int>((found - room.tokens) / tokens_a_word);
    n = std::max(n, kFewestWords);
  }
  return with_question(make_list(n), frame);
}

std::vector<std::string_view> plain_words() {
  std::vector<std::string_view> all;
  for (const words::List& list : {words::kThings, words::kAdjectives, words::kAnimals,
                                  words::kObjects, words::kJobs, words::kRooms}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

/// `n` words: the first ten ten times as often as those behind them.
Words common_list(std::span<const std::string_view> vocabulary, int n) {
  // The vocabulary is limited, the length is not: every word comes as often as it takes.
  const auto others = static_cast<int>(vocabulary.size()) - kCommon;
  const int often = kCommon * kTimesOften;
  const int times = (n + often + others - 1) / (often + others);
  Words list;
  for (size_t w = 0; static_cast<int>(list.size()) < n; ++w) {
    const int wanted = w < kCommon ? times * kTimesOften : times;
    const int count = std::min(wanted, n - static_cast<int>(list.size()));
    list.insert(list.end(), static_cast<size_t>(count), std::string(vocabulary[w]));
  }
  return list;
}

/// `count` different words of consonants and vowels that mean nothing.
Words code_words(Draw& draw, int count) {
  constexpr std::string_view kConsonants = "bdfgklmnprstvz";
  constexpr std::string_view kVowels = "aeiou";
  Words list;
  std::set<std::string> taken;
  while (static_cast<int>(list.size()) < count) {
    std::string word;
    for (int s = 0; s < kCodeSyllables; ++s) {
      word += draw.pick(std::span(kConsonants));
      word += draw.pick(std::span(kVowels));
    }
    if (taken.insert(word).second) list.push_back(std::move(word));
  }
  return list;
}

/// How often each rank appears among `n` words: n / (zeta(2) rank^2), once at least.
std::vector<int> frequencies(int n) {
  constexpr double kZeta2 = std::numbers::pi * std::numbers::pi / 6;
  std::vector<int> counts;
  for (int left = n, rank = 1; left > 0; ++rank) {
    const int share = static_cast<int>(n / (kZeta2 * rank * rank));
    counts.push_back(std::min(left, std::max(1, share)));
    left -= counts.back();
  }
  return counts;
}

}  // namespace

Puzzle make_common_words(Draw& draw, const Room& room) {
  std::vector<std::string_view> vocabulary = plain_words();
  draw.shuffle(vocabulary);
  const auto list = [&](int n) {
    Words words = common_list(vocabulary, n);
    draw.shuffle(words);
    return words;
  };
  const auto found = std::span(vocabulary).first(kCommon);
  return {fill(room, fmt::format("What are the {} most common words?", kCommon), list),
          {found.begin(), found.end()}};
}

Puzzle make_frequent_words(Draw& draw, const Room& room) {
  // Never more ranks than words, and a word takes a token at least.
  const Words vocabulary = code_words(draw, std::max(kFewestWords, room.tokens));
  const auto list = [&](int n) {
    Words words;
    const std::vector<int> counts = frequencies(n);
    for (size_t rank = 0; rank < counts.size(); ++rank) {
      words.insert(words.end(), static_cast<size_t>(counts[rank]), vocabulary[rank]);
    }
    draw.shuffle(words);
    return words;
  };
  const auto found = std::span(vocabulary).first(kFrequent);
  return {fill(room, fmt::format("What are the {} most frequent words?", kFrequent), list),
          {found.begin(), found.end()}};
}

}  // namespace unmask
