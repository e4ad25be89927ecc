// What the comparison with Jinja (jinja_test.py) does not see: where texts come from, limits, and
// what errors say.
#include "io/template/template.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/template/json_value.h"

namespace unmask::jinja {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Text render(std::string_view source, const std::string& data = "{}", std::time_t now = 0) {
  return Template(source).render(*read_json(data, "data").dict(), now);
}

/// The text with what is quoted in brackets.
std::string marked(std::string_view source, const std::string& data) {
  const Text text = render(source, data);
  std::string out;
  size_t at = 0;
  for (const auto& [begin, end] : text.quoted()) {
    out +=
        text.bytes().substr(at, begin - at) + "[" + text.bytes().substr(begin, end - begin) + "]";
    at = end;
  }
  return out + text.bytes().substr(at);
}

std::string error_of(std::string_view source, const std::string& data = "{}") {
  try {
    return "printed " + render(source, data).bytes();
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(TemplateOrigin, EveryOperationKeepsIt) {
  const std::string data = R"({"s": "PQ", "l": ["R", "S"], "d": {"K": "V", "n": 1}})";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"a{{ s }}b", "a[PQ]b"},
      {"{{ 'a' + s + 'b' }}{{ 'a' ~ s ~ 1 }}", "a[PQ]ba[PQ]1"},
      {"{{ (s + 'ab' + s)[1:5] }}", "[Q]ab[P]"},
      {"{{ (s + 'a')[::-1] }}", "a[QP]"},
      {"{{ (' ' + s + ' ') | trim }}", "[PQ]"},
      {"{{ (s + ',' + 'a').split(',') | join('-') }}", "[PQ]-a"},
      {"{{ 'xay' | replace('a', s) }}{{ s | replace('P', 'a') }}", "x[PQ]ya[Q]"},
      {"{{ (s + 'a') | lower }}{{ ('a' + s) | upper }}", "[pq]aA[PQ]"},
      {"{{ s | capitalize }}{{ (s + ' ab') | title }}", "[PqPq] Ab"},
      {"{{ s | tojson }}{{ l | tojson }}", "\"[PQ]\"[\"[R]\", \"[S]\"]"},
      {"{{ d | tojson }}", "{\"[K]\": \"[V]\", \"[n]\": 1}"},
      {"{{ d }}{{ l }}", "{'[K]': '[V]', '[n]': 1}['[R]', '[S]']"},
      {"{{ l | join(', ') }}{{ l | join(s) }}", "[R], [SRPQS]"},
      {"{{ (s ~ '\\n' ~ s) | indent(1) }}", "[PQ]\n [PQ]"},
      {"{{ '<%s>' | format(s) }}{{ '<{}>'.format(s) }}", "<[PQ]><[PQ]>"},
      {"{{ s | e }}{{ s * 2 }}{{ s | first }}{{ s | list | last }}", "[PQPQPQPQ]"},
      {"{% for k, v in d | dictsort %}{{ k }}={{ v }} {% endfor %}", "[K]=[V] [n]=1 "},
      {"{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(s) ~ f('a') }}", "<[PQ]><a>"},
      {"{% set x %}a{{ s }}{% endset %}{{ x | lower }}", "a[pq]"},
      {"{{ strftime_now('%Y') | length }}{{ strftime_now(s) }}", "4[PQ]"},
      {"{{ l | map('lower') | join }}{{ s.partition('P') | join('-') }}", "[rs]-[P]-[Q]"},
  };
  for (const auto& [source, expected] : cases) EXPECT_EQ(marked(source, data), expected) << source;
}

TEST(TemplateOrigin, TextsAreEqualWhereverTheyComeFrom) {
  EXPECT_EQ(
      marked("{{ s == 'a' }}{{ {'a': 1}[s] }}{{ s in ['a'] }}{{ 'a' in s }}", R"({"s": "a"})"),
      "True1TrueTrue");
}

TEST(TemplateOrigin, BrokenTextIsReplacedAndQuoted) {
  Dict data;
  data.set("s", Value(Text::quote("a\xFF<|x|>")));
  const Text text = Template("{{ s }}").render(data, 0);
  EXPECT_EQ(text.bytes(), "a\xEF\xBF\xBD<|x|>");
  ASSERT_EQ(text.quoted().size(), 1U);
  EXPECT_EQ(text.quoted()[0].end, text.bytes().size());
}

TEST(TemplateErrors, NameTheLineAndTheConstruct) {
  EXPECT_THAT(error_of("a\n{% include 'x' %}"), AllOf(HasSubstr("line 2"), HasSubstr("'include'")));
  EXPECT_THAT(error_of("\n\n{{ x | frobnicate }}"),
              AllOf(HasSubstr("line 3"), HasSubstr("the filter 'frobnicate' is not supported")));
  EXPECT_THAT(error_of("{{ 1 is frobnicated }}"), HasSubstr("the test 'frobnicated'"));
  EXPECT_THAT(error_of("{{\nx.y }}"), AllOf(HasSubstr("line 2"), HasSubstr("'x' is undefined")));
  EXPECT_THAT(error_of("{% for a in b recursive %}{% endfor %}"), HasSubstr("recursive"));
  EXPECT_THAT(error_of("{% if a %}\n\n"), AllOf(HasSubstr("'endif'"), HasSubstr("line 1")));
  EXPECT_THAT(error_of("{{ x"), HasSubstr("'}}'"));
  EXPECT_THAT(error_of("{# x"), HasSubstr("'#}'"));
  EXPECT_THAT(error_of("{% raw %} x"), HasSubstr("'endraw'"));
  EXPECT_THAT(error_of("{{ [].append(1) }}"), HasSubstr("would change a list"));
  EXPECT_THAT(error_of("{{ f(*x) }}"), HasSubstr("not supported"));
  EXPECT_THAT(error_of("{{ 9223372036854775807 + 1 }}"), HasSubstr("64 bits"));
}

TEST(TemplateErrors, ARefusalOfTheTemplateIsNoFaultOfIt) {
  try {
    render("{{ raise_exception('roles must ' ~ 'alternate') }}");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::other);
    EXPECT_THAT(error.what(), HasSubstr("roles must alternate"));
  }
}

TEST(TemplateLimits, EveryTemplateEndsSoon) {
  const auto begin = std::chrono::steady_clock::now();
  const auto many = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  const std::string deep = "nested deeper";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{{ " + many("(", 10'000) + "1" + many(")", 10'000) + " }}", deep},
      {"{{ " + many("[", 10'000) + many("]", 10'000) + " }}", deep},
      {"{{ " + many("not ", 10'000) + "1 }}", deep},
      {"{{ " + many("-", 10'000) + "1 }}", deep},
      {"{{ 1" + many(" + 1", 100'000) + " }}", deep},
      {"{{ x" + many("|list", 100'000) + " }}", deep},
      {"{{ x" + many(".y", 100'000) + " }}", deep},
      {many("{% if 1 %}", 10'000), deep},
      {"{% set " + many("(", 10'000) + many(")", 10'000) + " = 1 %}", deep},
      {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", deep},
      {"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "steps"},
      {"{{ range(1000000000) }}", "more than 100000 numbers"},
      {"{{ 'abcd' * 1000000000 }}", "16 MiB"},
      {"{{ [1, 2] * 1000000000 }}", "steps"},
      {"{% set s = 'ab' * 1000000 %}{{ s | replace('', s) }}", "16 MiB"},
      {"{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor "
       "%}",
       "16 MiB"},
      {"{% set n = namespace(l=[1]) %}{% for i in range(99) %}{% set n.l = n.l + n.l %}{% endfor "
       "%}",
       "steps"},
      {"{% set n = namespace(l=[]) %}{% for i in range(999) %}{% set n.l = [n.l] %}{% endfor %}",
       "levels"},
      {"{% set n = namespace(l=[], k=[]) %}{% for i in range(90) %}{% set n.l = [n.l, n.l] %}"
       "{% set n.k = [n.k, n.k] %}{% endfor %}{{ n.l == n.k }}",
       "steps"},
      {"{% set n = namespace(l=[]) %}{% for i in range(90) %}{% set n.l = [n.l, n.l] %}{% endfor %}"
       "{{ n.l }}",
       "16 MiB"},
      {"{% set n = namespace() %}{% set n.n = n %}{{ n.n.n is defined }}", "printed True"},
      {std::string(size_t{2} << 20, 'x'), "bytes"},
      {"{{ 2 ** 100000 }}", "64 bits"},
  };
  for (const auto& [source, expected] : cases) {
    EXPECT_THAT(error_of(source), HasSubstr(expected)) << source.substr(0, 80);
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(spent.count(), 60) << "each takes a second at most, and this machine may be busy";
}

TEST(TemplateLimits, AnyBeginningOfATemplateIsRunOrRefused) {
  const std::string source =
      "{%- set n = namespace(a='x') -%}{% for m in l if m %}{{ m[1:2] | tojson(indent=2) }}"
      "{% elif %}{# c #}{% raw %}{{{% endraw %}{{ {'a': [1, 2.5e1]}['a'] is defined and 'q\\x41' "
      "}}";
  for (size_t size = 0; size <= source.size(); ++size) {
    try {
      render(source.substr(0, size), R"({"l": ["ab"]})");
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("line 1")) << size;
    }
  }
}

TEST(TemplateTime, IsThatOfTheCaller) {
  EXPECT_EQ(render("{{ strftime_now('%Y-%m') }}", "{}", 86'400 * 45).bytes(), "1970-02");
}

TEST(TemplateUses, NamesAndParts) {
  const Template parsed("{% if tools %}{{ m['tool_calls'] }}{{ m.role }}<tool_call>{% endif %}");
  EXPECT_TRUE(parsed.uses("tools"));
  EXPECT_TRUE(parsed.uses("tool_calls"));
  EXPECT_TRUE(parsed.uses("role"));
  EXPECT_FALSE(parsed.uses("documents"));
  EXPECT_TRUE(parsed.writes("<tool_call>"));
  EXPECT_FALSE(parsed.writes("<think>"));
}

TEST(JsonValue, IsStrict) {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  for (const std::string& text : {std::string("{"), std::string(""), std::string("1 2"), deep,
                                  std::string("18446744073709551616"),
                                  std::string("9223372036854775808"), std::string("\"\xFF\"")}) {
    EXPECT_THROW(read_json(text, "here"), Error) << text;
  }
  EXPECT_EQ(marked("{{ a }}", R"({"a": [1, -2, 2.0, 1e3, true, null, "x", {"x": 1, "x": 2}]})"),
            "[1, -2, 2.0, 1000.0, True, None, '[x]', {'[x]': 2}]");
}

}  // namespace
}  // namespace unmask::jinja
