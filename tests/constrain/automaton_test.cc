#include "constrain/automaton.h"

#include <gtest/gtest.h>
#include <set>
#include <string>

#include "constrain/automaton_walk.h"
#include "core/error.h"

namespace unmask {
namespace {

Automaton compile(Expressions& e, Expression root) { return Automaton::compile(e, root, "[test]"); }

/// Texts of "a" and "b" up to `length` bytes that the automaton accepts.
std::set<std::string> accepted(const Automaton& automaton, size_t length) {
  std::set<std::string> out;
  std::vector<std::string> texts{""};
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = texts[i];
    if (automaton.accepts(text)) out.insert(text);
    if (text.size() == length) continue;
    texts.push_back(text + "a");
    texts.push_back(text + "b");
  }
  return out;
}

TEST(Automaton, AcceptsWhatExpressionsDescribe) {
  Expressions e;
  const Expression a = e.literal("a");
  const Expression b = e.literal("b");
  using Texts = std::set<std::string>;
  EXPECT_EQ(accepted(compile(e, e.literal("")), 2), Texts{""});
  EXPECT_EQ(accepted(compile(e, e.sequence({a, b})), 3), Texts{"ab"});
  EXPECT_EQ(accepted(compile(e, e.choice({a, e.nothing(), e.literal("bb")})), 3),
            (Texts{"a", "bb"}));
  EXPECT_EQ(accepted(compile(e, e.repeat(a, 0)), 3), (Texts{"", "a", "aa", "aaa"}));
  EXPECT_EQ(accepted(compile(e, e.repeat(a, 2, 3)), 5), (Texts{"aa", "aaa"}));
  EXPECT_EQ(accepted(compile(e, e.repeat(e.optional(a), 2)), 3), (Texts{"", "a", "aa", "aaa"}));
  EXPECT_EQ(accepted(compile(e, e.sequence({e.repeat(e.choice({a, b}), 0), b})), 2),
            (Texts{"b", "ab", "bb"}));
}

TEST(Automaton, IsTheSmallestOne) {
  Expressions e;
  const Expression any = e.byte({'a', 'b'});
  // The classic: the third byte from the end is an "a" takes 2^3 states.
  const Expression third = e.sequence({e.repeat(any, 0), e.literal("a"), e.repeat(any, 2, 2)});
  EXPECT_EQ(compile(e, third).size(), 8);
  // Spelled in two ways.
  const Expression twice =
      e.choice({e.repeat(e.literal("ab"), 0), e.sequence({e.repeat(e.literal("ab"), 0)}),
                e.sequence({e.literal("ab"), e.repeat(e.literal("ab"), 0)})});
  EXPECT_EQ(compile(e, twice).size(), 2);
  // Suffixes are shared: 300 words that end alike.
  std::vector<Expression> words;
  for (int n = 100; n < 400; ++n) words.push_back(e.literal(std::to_string(n) + "-ending"));
  EXPECT_EQ(compile(e, e.choice(words)).size(), 1 + 1 + 1 + 8);
}

TEST(Automaton, SharesWhatFollowsAlike) {
  Expressions e;
  Expression rest = e.literal("}");
  for (int n = 0; n < 60; ++n) {
    rest = e.choice({e.sequence({e.literal(std::to_string(n) + ";"), rest}), rest});
  }
  EXPECT_LT(e.compile(rest, "[test]").states.size(), 500U);
  EXPECT_LE(compile(e, rest).size(), 61 * 3);
}

TEST(Automaton, IntersectsAndEmbeds) {
  Expressions e;
  const Expression any = e.byte({'a', 'b'});
  const Automaton even = compile(e, e.repeat(e.sequence({any, any}), 0));
  const Automaton ends = compile(e, e.sequence({e.repeat(any, 0), e.literal("b")}));
  const Automaton both = Automaton::intersection(even, ends, "[test]");
  EXPECT_EQ(accepted(both, 3), (std::set<std::string>{"ab", "bb"}));
  const Expression embedded = e.embed(both.nfa());
  EXPECT_EQ(accepted(compile(e, e.sequence({embedded, e.literal("a")})), 4),
            (std::set<std::string>{"aba", "bba"}));
}

TEST(Automaton, RefusesWhatIsEmptyOrTooLarge) {
  Expressions e;
  const Expression any = e.byte({'a', 'b'});
  EXPECT_THROW(compile(e, e.nothing()), Error);
  EXPECT_THROW(compile(e, e.sequence({e.literal("a"), e.nothing()})), Error);
  EXPECT_THROW(compile(e, e.sequence({e.repeat(any, 0), e.literal("a"), e.repeat(any, 20, 20)})),
               Error);
  EXPECT_THROW(compile(e, e.repeat(any, 5000, 5000)), Error);
  EXPECT_EQ(compile(e, e.repeat(any, 4000, 4000)).size(), 4001);
  EXPECT_THROW(compile(e, e.repeat(e.repeat(e.repeat(any, 64, 64), 64, 64), 64, 64)), Error);
  const Automaton a = compile(e, e.literal("a"));
  const Automaton b = compile(e, e.literal("b"));
  EXPECT_THROW(Automaton::intersection(a, b, "[test]"), Error);
}

}  // namespace
}  // namespace unmask
