"""Templates as Jinja runs them in the transformers library, against the engine's interpreter.

usage: jinja_test.py TEMPLATE_CASES [REPOSITORY] [CASES]
"""

import copy
import functools
import json
import pathlib
import random
import subprocess
import sys
import unittest

try:
    import jinja2
    import jinja2.ext
    import jinja2.sandbox
except ImportError:
    print("jinja2 is not installed")
    sys.exit(77)

from conversations import conversation
from expressions import DATA, Expressions

HERE = pathlib.Path(__file__).parent
# What the interpreter says it does not do, where Python has no limit; and slices of constants, which
# Jinja folds by other rules than it runs.
LIMITS = ("not supported", "of more than 64 bits", "is no real number", "cannot be printed", "a precision of", "a slice of a")


def refuse(message):
    raise jinja2.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class Generation(jinja2.ext.Extension):
    """The tag around what the assistant said, which changes nothing that is printed."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation]
    )
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = refuse
    return made


ENVIRONMENT = environment()


@functools.lru_cache(maxsize=64)
def compiled(template):
    return ENVIRONMENT.from_string(template)


def expected(case):
    """The text, or None where Jinja refuses."""
    try:
        # A copy: the filter indent changes a list that it is given by mistake.
        return compiled(case["template"]).render(**copy.deepcopy(case["data"]))
    except Exception:  # noqa: BLE001: whatever Python finds wrong with it
        return None


def answers(cases):
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([PROGRAM], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def difference(case, answer):
    """What is wrong with an answer, or None."""
    want = expected(case)
    if want is None:
        return None if "error" in answer else f"printed {answer['text']!r}, Jinja refuses it"
    if "error" in answer:
        known = any(limit in answer["error"] for limit in LIMITS)
        return None if known else f"refused: {answer['error']}, Jinja prints {want!r}"
    return None if answer["text"] == want else f"printed {answer['text']!r}, Jinja prints {want!r}"


def misquoted(answer):
    """Where people write no ASCII and templates nothing else: a character with the wrong origin."""
    text = answer["text"].encode()
    quoted = bytearray(len(text))
    for begin, end in answer["quoted"]:
        quoted[begin:end] = b"\1" * (end - begin)
    return [at for at in range(len(text)) if quoted[at] != (text[at] >= 0x80)]


class Differences(unittest.TestCase):
    longMessage = False

    def check(self, cases):
        found = []
        for case, answer in zip(cases, answers(cases), strict=True):
            problem = difference(case, answer)
            if problem:
                found.append(f"{case['template']}\n  {problem}")
        self.assertFalse(found, f"{len(found)} of {len(cases)}:\n" + "\n".join(found[:20]))

    def test_random_expressions(self):
        expressions = Expressions(1)
        cases = [{"template": "{{ " + expressions.any(3) + " }}", "data": DATA} for _ in range(CASES)]
        self.check(cases)

    def test_random_expressions_keep_the_origin_of_texts(self):
        expressions = Expressions(2)
        cases = [{"template": "{{ " + expressions.text(3) + " }}", "data": DATA} for _ in range(CASES)]
        checked = 0
        for case, answer in zip(cases, answers(cases), strict=True):
            # An escape such as "\u2003" is quoted, and ASCII; so are some keys of rows and tools.
            ascii_too = any(word in case["template"] for word in ("rows", "tools", "ensure_ascii"))
            if "error" in answer or "\\" in answer["text"] or ascii_too:
                continue
            checked += 1
            self.assertFalse(misquoted(answer), f"{case['template']}\n  {answer}")
        self.assertGreater(checked, CASES // 4)

    def test_constructs(self):
        cases = [
            {"template": template, "data": DATA}
            for template in (HERE / "constructs.txt").read_text().split("\n----\n")
        ]
        self.assertGreater(len(cases), 50)
        self.check(cases)

    def test_white_space_around_tags(self):
        source = random.Random(3)
        parts = ["{%- if yes %}", "{% if yes -%}", "{% if yes %}", "{%+ if yes %}", "{% endif +%}"]
        pieces = ["\n", "  ", " a ", "\n\n", "\t", "{{ n }}", "{{- n }}", "{{ n -}}", "{# c #}", "{#- c -#}", "{# c +#}",
                  "{%- set a = 1 %}", "{% set a = 2 -%}", "{%+ set a = 3 +%}", "{% raw %} {{ x }}\n {%- endraw %}",
                  "{%- raw -%}\n {% a %} {% endraw -%}", "\r\n", "\r", "\u2003", "b"]
        cases = []
        for _ in range(CASES):
            body = "".join(source.choice(pieces) for _ in range(source.randrange(8)))
            if source.random() < 0.5:
                body = source.choice(parts[:4]) + body + source.choice(["{% endif %}", "{%- endif -%}", parts[4]])
            cases.append({"template": body + source.choice(["", "\n", "\n\n", "  "]), "data": DATA})
        self.check(cases)

    def test_chat_templates(self):
        source = random.Random(4)
        templates = sorted((HERE / "templates").glob("*.jinja"))
        self.assertGreater(len(templates), 8)
        for template in templates:
            with self.subTest(template.name):
                text = template.read_text()
                self.check([{"template": text, "data": conversation(source)} for _ in range(max(CASES // 10, 20))])


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    CASES = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    unittest.main(argv=sys.argv[:1])
