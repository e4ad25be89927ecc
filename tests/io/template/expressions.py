"""Random expressions of templates, mostly of types that fit, for jinja_test.py."""

import random

# Templates write ASCII, people write what is none, so that the origin of every character shows.
OPEN = ["", "a", "b", "ab", "a b", "abc", " a ", "A", "<|x|>", "a,b,c", "Ab cD", "\\n", "'", "\\\"", "{}", "1", "2.5"]
TEXTS = {"s": "αβγ", "t": "Δ\u00a0δ\u2003ω", "empty": "", "w": "\u00a0ж\u2003", "long": "жαжβж", "marker": "«ω»"}
DATA = {
    **TEXTS,
    "n": 7, "zero": 0, "minus": -3, "x": 2.5, "yes": True, "no": False, "nothing": None,
    "l": ["α", "β", "α", "Γ"], "numbers": [3, 1, 2, 2, -1], "mixed": [1, "α", None, [2.0, True]],
    "rows": [{"k": "β", "v": 2, "q": {"r": "ж"}}, {"k": "α", "v": 1, "q": {}}, {"k": "Β", "v": 3}],
    "d": {"α": 1, "γ": [1, 2], "β": {"ж": None}}, "tools": [{"имя": "ω", "items": [1, {"ж": 0.5}]}],
}


class Expressions:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def number(self, depth):
        if depth <= 0 or self.random.random() < 0.3:
            return self.pick("0", "1", "2", "3", "7", "10", "-1", "-4", "2.5", "0.1", "1e3", "n", "x", "minus", "zero", "yes")
        deeper = depth - 1
        return self.pick(
            lambda: f"({self.number(deeper)} {self.pick('+', '-', '*', '/', '//', '%')} {self.number(deeper)})",
            lambda: f"({self.number(deeper)} ** {self.pick('0', '1', '2', '3')})",
            lambda: f"{self.text(deeper)}|length",
            lambda: f"{self.list(deeper)}|length",
            lambda: f"{self.text(deeper)}.find({self.text(0)})",
            lambda: f"{self.text(deeper)}.count({self.text(0)})",
            lambda: f"{self.number(deeper)}|{self.pick('abs', 'int', 'float', 'round', 'round(1)', 'round(2)')}",
            lambda: f"{self.number(deeper)}|round(1, '{self.pick('ceil', 'floor', 'common')}')",
            lambda: f"({self.text(deeper)})|{self.pick('int', 'int(5)', 'float')}",
            lambda: f"-{self.number(deeper)}",
            lambda: f"({self.number(deeper)} if {self.truth(deeper)} else {self.number(deeper)})",
            lambda: f"numbers[{self.number(0)}]",
            lambda: f"numbers|{self.pick('first', 'last')}",
        )()

    def bound(self):
        return self.pick("", "", "0", "1", "2", "-1", "-2", "5", "-9", "n")

    def slice(self):
        step = self.pick("", "", ":", ":1", ":2", ":-1", ":-2", ":3")
        return f"[{self.bound()}:{self.bound()}{step}]"

    def text(self, depth):
        if depth <= 0 or self.random.random() < 0.2:
            if self.random.random() < 0.5:
                return self.pick(*TEXTS)
            return f'"{self.pick(*OPEN)}"'
        deeper = depth - 1
        inner = lambda: f"({self.text(deeper)})"  # noqa: E731
        return self.pick(
            lambda: f"({self.text(deeper)} + {self.text(deeper)})",
            lambda: f"({self.any(deeper)} ~ {self.any(deeper)})",
            lambda: f"({self.text(deeper)} * {self.pick('0', '1', '2', '3', '-1')})",
            lambda: inner() + self.slice(),
            lambda: inner() + f"[{self.pick('0', '1', '-1', '2')}]",
            lambda: inner() + f".{self.pick('strip', 'lstrip', 'rstrip')}({self.pick('', '', self.text(0))})",
            lambda: inner() + f".{self.pick('upper', 'lower', 'capitalize', 'title')}()",
            lambda: inner() + f"|{self.pick('trim', 'upper', 'lower', 'capitalize', 'title', 'string', 'reverse')}",
            lambda: inner() + f"|trim({self.text(0)})",
            lambda: inner() + f"|replace({self.text(0)}, {self.text(0)}{self.pick('', ', 1', ', count=2')})",
            lambda: inner() + f".replace({self.text(0)}, {self.text(0)}{self.pick('', ', 1')})",
            lambda: inner() + f".split({self.pick('', self.text(0))})[{self.pick('0', '-1')}]",
            lambda: inner() + f".split({self.text(0)}, {self.pick('0', '1', '2')})|join('+')",
            lambda: inner() + f".split(none, {self.pick('0', '1', '2')})|join('+')",
            lambda: inner() + f".rsplit({self.pick('none', self.text(0))}, {self.pick('0', '1', '2')})|join('+')",
            lambda: inner() + f".{self.pick('partition', 'rpartition')}({self.text(0)})|join('+')",
            lambda: inner() + f".splitlines({self.pick('', 'true')})|join('+')",
            lambda: inner() + f".{self.pick('removeprefix', 'removesuffix')}({self.text(0)})",
            lambda: f"{self.list(deeper)}|join({self.pick('', self.text(0))})",
            lambda: f"{self.text(0)}.join({self.texts(deeper)})",
            lambda: f"{self.any(deeper)}|tojson({self.pick('', '', 'indent=2', 'ensure_ascii=true', 'sort_keys=true', 'indent=0')})",
            lambda: f"{self.any(deeper)}|string",
            lambda: inner() + f"|indent({self.pick('', '2', '2, true', 'width=1, blank=true', self.text(0))})",
            lambda: f"({inner()} if {self.truth(deeper)} else {inner()})",
            lambda: f"({self.any(deeper)} or {self.text(deeper)})",
            lambda: f"{self.any(deeper)}|default({self.text(0)}{self.pick('', ', true')})",
            lambda: f"'{{}}-{{}}'.format({self.any(0)}, {self.text(0)})",
            lambda: f"'%s|%s'|format({self.text(0)}, {self.number(0)})",
            lambda: f"rows[{self.pick('0', '1', '-1', '4')}].{self.pick('k', 'v', 'q', 'none')}",
            lambda: f"{self.list(deeper)}|{self.pick('first', 'last')}",
        )()

    def texts(self, depth):
        if depth <= 0 or self.random.random() < 0.4:
            return self.pick("l", "[]", "['a', 'b']", "['a', s, t]", "(s, 'b')")
        return self.pick(
            lambda: f"({self.text(depth - 1)}).split({self.pick('', self.text(0))})",
            lambda: f"[{self.text(depth - 1)}, {self.text(depth - 1)}]",
            lambda: f"{self.texts(depth - 1)}|map('{self.pick('upper', 'trim', 'lower', 'string')}')|list",
            lambda: f"{self.texts(depth - 1)}|{self.pick('sort', 'unique', 'reverse', 'sort(true)', 'sort(case_sensitive=true)')}|list",
            lambda: f"rows|map(attribute='k')|list",
            lambda: f"({self.text(depth - 1)})|list",
        )()

    def list(self, depth):
        if depth <= 0 or self.random.random() < 0.25:
            return self.pick("l", "numbers", "mixed", "[]", "[1, 'a', s]", "(1, 2)", "range(4)|list", "range(6, 0, -2)|list", "d|list", "d.keys()|list")
        deeper = depth - 1
        return self.pick(
            lambda: self.texts(deeper),
            lambda: f"({self.list(deeper)} + {self.list(deeper)})",
            lambda: f"({self.list(deeper)}){self.slice()}",
            lambda: f"[{self.any(deeper)}, {self.any(deeper)}]",
            lambda: f"({self.any(deeper)}, {self.any(deeper)})",
            lambda: f"{self.list(deeper)}|{self.pick('select', 'reject')}{self.pick('', '(' + repr(self.pick('string', 'number', 'none', 'defined', 'mapping', 'sequence', 'iterable', 'boolean', 'integer', 'float')) + ')')}|list",
            lambda: f"numbers|{self.pick('select', 'reject')}({self.pick(repr('odd'), repr('even'), repr('gt') + ', 1', repr('divisibleby') + ', 2', repr('in') + ', [1, 2]')})|list",
            lambda: f"rows|{self.pick('selectattr', 'rejectattr')}({self.pick(repr('q'), repr('v') + ', ' + repr('ge') + ', 2', repr('q') + ', ' + repr('defined'), repr('k') + ', ' + repr('equalto') + ', s')})|list",
            lambda: f"rows|sort(attribute='{self.pick('v', 'k')}'{self.pick('', ', reverse=true')})|map(attribute='v')|list",
            lambda: f"rows|map(attribute='q.r'{self.pick('', ', default=0')})|map('string')|list",
            lambda: f"numbers|{self.pick('sort', 'unique', 'reverse', 'sort(reverse=true)')}|list",
            lambda: f"d|dictsort{self.pick('', '(reverse=true)', '(true)')}",
            lambda: f"d.{self.pick('items', 'values', 'keys')}()|list",
            lambda: f"d|items|list",
            lambda: f"numbers|batch({self.pick('2', '3, 0')})|list",
            lambda: f"({self.list(deeper)} * {self.pick('0', '1', '2')})",
        )()

    def truth(self, depth):
        if depth <= 0 or self.random.random() < 0.2:
            return self.pick("true", "false", "yes", "no", "none", "zero", "empty", "s", "absent", "l", "d")
        deeper = depth - 1
        operators = ("==", "!=", "<", "<=", ">", ">=")
        return self.pick(
            lambda: f"({self.number(deeper)} {self.pick(*operators)} {self.number(deeper)})",
            lambda: f"({self.text(deeper)} {self.pick(*operators)} {self.text(deeper)})",
            lambda: f"({self.number(deeper)} < {self.number(deeper)} {self.pick(*operators)} {self.number(deeper)})",
            lambda: f"({self.any(deeper)} {self.pick('==', '!=')} {self.any(deeper)})",
            lambda: f"({self.text(deeper)} {self.pick('in', 'not in')} {self.text(deeper)})",
            lambda: f"({self.any(deeper)} {self.pick('in', 'not in')} {self.list(deeper)})",
            lambda: f"({self.text(deeper)} in {self.pick('d', 'absent')})",
            lambda: f"(not {self.truth(deeper)})",
            lambda: f"({self.truth(deeper)} {self.pick('and', 'or')} {self.truth(deeper)})",
            lambda: f"({self.any(deeper)} is {self.pick('', 'not ')}{self.pick('defined', 'undefined', 'none', 'string', 'number', 'integer', 'float', 'boolean', 'true', 'false', 'mapping', 'iterable', 'sequence')})",
            lambda: f"(absent is {self.pick('', 'not ')}{self.pick('defined', 'undefined', 'none', 'string', 'iterable', 'sequence')})",
            lambda: f"({self.number(deeper)} is {self.pick('odd', 'even', 'divisibleby 3', 'eq 1', 'gt(2)', 'le 2', 'in [1, 2]')})",
            lambda: f"({self.text(deeper)}).{self.pick('startswith', 'endswith')}({self.pick(self.text(0), '(' + self.text(0) + ', ' + self.text(0) + ')')})",
        )()

    def any(self, depth):
        if self.random.random() < 0.15:
            return self.pick("d", "tools", "rows", "mixed", "none", "absent", "nothing", "{'a': 1, s: t, 2: [3]}", "d.get('α')", "d.get(s, 'a')", "tools[0].items", "tools[0]['items']")
        return self.pick(self.number, self.text, self.list, self.truth)(depth)
