"""The tasks: facts that a text hides, a question about them, the answer, and what scoring expects.

Answers about people and variables repeat the wording of the facts ("Mary lives in Oslo."), so that
a small model finds the missing word by what stands around it. `room` bounds how many facts fit.
"""

from __future__ import annotations

import dataclasses
from random import Random
from typing import Callable

from words import (ADJECTIVES, ANIMALS, CITIES, FOODS, JOBS, KINDS, LANGUAGES, NAMES, PLACES, ROOMS,
                   SHORT_SENTENCES, SUBJECTS, TAILS, THINGS, VARIABLES, VERBS)


@dataclasses.dataclass
class Task:
    """One question; `ordered` facts keep their order in the text."""

    facts: list[str]
    question: str
    answer: str
    expected: list[str]
    ordered: bool = False


def filler(r: Random) -> str:
    """A sentence that says nothing a question asks for."""
    if r.random() < 0.15:
        return r.choice(SHORT_SENTENCES)
    sentence = f"{r.choice(SUBJECTS)} {r.choice(VERBS)} {r.choice(PLACES)}"
    if r.random() < 0.55:
        sentence += " " + r.choice(TAILS)
    if r.random() < 0.12:
        sentence = f"{r.choice(TAILS)}, {sentence}"
    return sentence[0].upper() + sentence[1:] + "."


def number(r: Random) -> str:
    return "".join(r.choice("0123456789") for _ in range(4))


def value(r: Random) -> str:
    return number(r) if r.random() < 0.7 else r.choice(THINGS)


def keys(r: Random, n: int) -> list[str]:
    """Different names such as "brave otter"."""
    chosen: dict[str, None] = {}
    while len(chosen) < n:
        chosen[f"{r.choice(ADJECTIVES)} {r.choice(ANIMALS)}"] = None
    return list(chosen)


def single(r: Random, room: int) -> Task:
    kind, (key,), what = r.choice(KINDS), keys(r, 1), value(r)
    return Task([f"The {kind} of the {key} is {what}."], f"What is the {kind} of the {key}?",
                f"{key}: {what}", [what])


def _several_keys(r: Random, room: int, asked: int) -> Task:
    kind = r.choice(KINDS)
    pairs = [(key, value(r)) for key in keys(r, r.randint(max(2, asked), max(2, asked, room)))]
    chosen = r.sample(pairs, asked)
    if asked == 1:
        question = f"What is the {kind} of the {chosen[0][0]}?"
    else:
        question = f"What are the {kind}s of these: " + ", ".join(k for k, _ in chosen) + "?"
    return Task([f"The {kind} of the {key} is {what}." for key, what in pairs], question,
                ", ".join(f"{key}: {what}" for key, what in chosen), [what for _, what in chosen])


def multikey(r: Random, room: int) -> Task:
    return _several_keys(r, room, 1)


def multiquery(r: Random, room: int) -> Task:
    return _several_keys(r, room, r.randint(2, 4))


def dense(r: Random, room: int) -> Task:
    """Training only: many questions, so many supervised tokens a text."""
    return _several_keys(r, room, r.randint(4, 7))


def multivalue(r: Random, room: int) -> Task:
    """All values of one key, in the order of the text."""
    kind = r.choice(KINDS)
    pairs = []
    names = keys(r, r.randint(1, max(1, room // 3)))
    for i, key in enumerate(names):
        values = {number(r): None for _ in range(r.randint(2, 4) if i == 0 else r.randint(1, 2))}
        pairs += [(key, what) for what in values]
    r.shuffle(pairs)
    wanted = [what for key, what in pairs if key == names[0]]
    return Task([f"The {kind} of the {key} is {what}." for key, what in pairs],
                f"What are all the {kind}s of the {names[0]}?", f"{names[0]}: " + ", ".join(wanted),
                wanted, ordered=True)


def tracking(r: Random, room: int) -> Task:
    """Chains of assignments: which variables hold the value of the first chain? All chains are as
    long, for an answer that is written everywhere at once must know its length first."""
    hops, chains = 2, r.randint(1, max(1, min(5, room // 5)))
    names = r.sample(VARIABLES, (hops + 1) * chains)
    lines: list[list[str]] = []
    for c in range(chains):
        chain = names[c * (hops + 1):(c + 1) * (hops + 1)]
        lines.append([f"Set {a} = {b}." for a, b in zip(chain, [number(r), *chain])])
    order = [c for c, chain in enumerate(lines) for _ in chain]
    r.shuffle(order)
    rest = [iter(chain) for chain in lines]
    held = lines[0][0].split("= ")[1][:-1]
    return Task([next(rest[c]) for c in order], f"Which variables have the value {held}?",
                " ".join(lines[0]), names[:hops + 1], ordered=True)


@dataclasses.dataclass
class Relation:
    """What texts tell of people, with the question for one and for several of them."""

    fact: str
    question: str
    several: str
    values: list[str]


RELATIONS = [
    Relation("{} lives in {}.", "Where does {} live?", "Where do these live: {}?", CITIES),
    Relation("{} works as a {}.", "What is the job of {}?", "What are the jobs of these: {}?", JOBS),
    Relation("{} is in the {}.", "Where is {}?", "Where are these: {}?", ROOMS),
    Relation("{} likes to eat {}.", "What does {} like to eat?", "What do these like to eat: {}?",
             FOODS),
]


def _about_people(r: Random, room: int, asked: int) -> Task:
    """Facts of one relation or of all; the asked ones are of one relation."""
    relation = r.choice(RELATIONS)
    people = r.sample(NAMES, r.randint(asked, max(asked, min(len(NAMES), room))))
    told = {name: r.choice(relation.values) for name in people}
    facts = [relation.fact.format(name, what) for name, what in told.items()]
    if r.random() < 0.4:
        for other in r.choices(RELATIONS, k=max(0, room - len(facts)) // 2):
            if other is not relation:
                facts.append(other.fact.format(r.choice(people), r.choice(other.values)))
        facts = list(dict.fromkeys(facts))
    chosen = r.sample(people, asked)
    question = relation.question if asked == 1 else relation.several
    return Task(facts, question.format(", ".join(chosen)),
                " ".join(relation.fact.format(name, told[name]) for name in chosen),
                [told[name] for name in chosen])


def people(r: Random, room: int) -> Task:
    return _about_people(r, room, 1)


def several_people(r: Random, room: int) -> Task:
    """Training only."""
    return _about_people(r, room, r.randint(2, 5))


def two_facts(r: Random, room: int) -> Task:
    """The language of a person's city: two facts to join."""
    n = r.randint(1, max(1, min(12, room // 2)))
    names, cities = r.sample(NAMES, n), r.sample(CITIES, n)
    spoken = [r.choice(LANGUAGES) for _ in cities]
    lives = [f"{name} lives in {city}." for name, city in zip(names, cities)]
    speak = [f"The people of {city} speak {what}." for city, what in zip(cities, spoken)]
    facts = lives + speak
    r.shuffle(facts)
    i = r.randrange(n)
    return Task(facts, f"Which language does {names[i]} speak?", f"{lives[i]} {speak[i]}",
                [spoken[i]])


def moves(r: Random, room: int) -> Task:
    """Where somebody went last."""
    n = r.randint(1, max(1, min(8, room // 2)))
    names = r.sample(NAMES, n)
    events = [(r.choice(names), r.choice(ROOMS)) for _ in range(r.randint(n, 2 * n))]
    last = dict(events)
    name = r.choice(list(last))
    return Task([f"{who} went to the {where}." for who, where in events],
                f"Where did {name} go last?", f"{name} went to the {last[name]}.", [last[name]],
                ordered=True)


def common_word(r: Random, room: int) -> Task:
    word, *others = r.sample(THINGS, r.randint(5, 15))
    words = [word] * r.randint(4, 6) + others
    r.shuffle(words)
    return Task([f"Words: {' '.join(words)}."], "Which word is the most common?", word, [word])


def repeat(r: Random, room: int) -> Task:
    text = " ".join(r.sample(THINGS, r.randint(2, 6)))
    return Task([], f"Repeat these words: {text}.", text, [text])


@dataclasses.dataclass
class Person:
    name: str
    city: str
    age: int
    job: str

    @staticmethod
    def random(r: Random) -> Person:
        return Person(r.choice(NAMES), r.choice(CITIES), r.randint(10, 99), r.choice(JOBS))

    def sentences(self) -> str:
        return (f"{self.name} is {self.age} years old. {self.name} lives in {self.city}. "
                f"{self.name} works as a {self.job}.")

    def record(self) -> str:
        return (f'{{"name": "{self.name}", "city": "{self.city}", "age": {self.age}, '
                f'"job": "{self.job}"}}')


def json_record(r: Random, room: int) -> Task:
    """A record from sentences, or sentences from a record."""
    p = Person.random(r)
    if r.random() < 0.6:
        return Task([p.sentences()], f"Write a JSON record for {p.name}.", p.record(), [p.record()])
    return Task([p.record() + "."], f"Where does {p.name} live and how old is {p.name}?",
                f"{p.name} lives in {p.city}. {p.name} is {p.age} years old.",
                [p.city, str(p.age)])


OPERATIONS = [("add", "+"), ("sub", "-"), ("mul", "*")]


def function(r: Random, room: int) -> Task:
    name, sign = r.choice(OPERATIONS)
    a, b = r.sample(VARIABLES[:20], 2)
    text = f"def {name}({a}, {b}):\n    return {a} {sign} {b}"
    return Task([], f"Write a function {name} of {a} and {b}.", text, [text])


TASKS: dict[str, Callable[[Random, int], Task]] = {
    "single": single, "multikey": multikey, "multiquery": multiquery, "multivalue": multivalue,
    "tracking": tracking, "people": people, "two_facts": two_facts, "moves": moves,
    "common_word": common_word, "repeat": repeat, "json": json_record, "function": function,
    "dense": dense, "several_people": several_people}


def code(r: Random) -> str:
    """A few lines of a program."""
    name, sign = r.choice(OPERATIONS)
    a, b = r.sample(VARIABLES[:20], 2)
    n = r.randint(1, 9)
    return r.choice([f"def {name}({a}, {b}):\n    return {a} {sign} {b}\n",
                     f"def {name}({a}, {b}):\n    return {a} {sign} {b}\n",
                     f"def {name}_{n}({a}):\n    {b} = {a} {sign} {n}\n    return {b}\n",
                     f"for {a} in range({n}):\n    {b} = {b} {sign} {a}\n    print({b})\n"])


def document(r: Random, sentences: int) -> str:
    """A free text to fill holes in: facts told twice, people and their records, code, prose."""
    form = r.random()
    if form < 0.3:
        kind = r.choice(KINDS)
        facts = [f"The {kind} of the {key} is {value(r)}." for key in keys(r, 6)]
        return " ".join(r.choice(facts) if r.random() < 0.6 else filler(r)
                        for _ in range(sentences))
    if form < 0.55:
        crowd = [Person.random(r) for _ in range(max(1, sentences // 6))]
        told = " ".join(p.sentences() for p in crowd)
        r.shuffle(crowd)
        return told + "\n[" + ",\n".join(p.record() for p in crowd) + "]"
    if form < 0.75:
        return "\n".join(code(r) for _ in range(max(1, sentences // 3)))
    return " ".join(filler(r) for _ in range(sentences))
