"""A toy language of short Python texts in which places must agree, and edits to try on it.

A text is made of blocks: a function with its comment, definition and calls; a bracket of two calls
with one word; a sum in front of its two parts.
"""

import random
import re
from dataclasses import dataclass

from grammars.span import Span

KINDS = ("names", "brackets", "sums")
_PLACE = re.compile(r"«(.*?)»", re.DOTALL)


def word(rng):
    return "".join(rng.choice(letters) for letters in ("bdfgklmnprstvz", "aeiou", "bdfgklmnprstvz"))


def names(rng):
    """A name in a comment, in the definition below and in the calls: one says them all."""
    name = word(rng)
    calls = f"«{name}»()\n" * rng.choice((1, 2))
    return f"# «{name}»\ndef «{name}»():\n    return «{rng.randrange(10)}»\n{calls}"


def brackets(rng):
    """A word given twice, and nowhere else."""
    opened = word(rng)
    return f'enter("«{opened}»")\nleave("«{opened}»")\n'


def sums(rng):
    """A sum of two numbers from 0 to 4, given in front of its parts."""
    a, b = rng.randrange(5), rng.randrange(5)
    return f"total = «{a + b}»\na = «{a}»\nb = «{b}»\n"


_BLOCKS = {"names": names, "brackets": brackets, "sums": sums}


def marked(rng, kinds):
    """Return blocks of these kinds, every place that could be a hole marked."""
    return [_BLOCKS[kind](rng) for kind in kinds]


def unmarked(text):
    """Take the marks out of a text; return it with the spans they stood around."""
    spans, plain, done = [], "", 0
    for mark in _PLACE.finditer(text):
        plain += text[done : mark.start()]
        spans.append(Span(len(plain), len(plain) + len(mark[1])))
        plain += mark[1]
        done = mark.end()
    return plain + text[done:], spans


@dataclass(frozen=True)
class Case:
    """An edit of several places that is right if `is_right` says so of the text it makes."""

    kind: str
    text: str
    spans: tuple[Span, ...]
    wanted: re.Pattern

    def is_right(self, text):
        found = self.wanted.fullmatch(text)
        if not found:
            return False
        parts = found.groupdict()
        return self.kind != "sums" or int(parts["total"]) == int(parts["a"]) + int(parts["b"])


def case(kind, rng, blocks=1):
    """Make an edit whose places must agree, in a text with so many other blocks on each side.

    names: the comment was renamed, the definition and the calls below still have the old name.
    brackets: both words are still `...`; sums: so are the total and its first part.
    """
    others = [k for k in KINDS if k != kind]
    head = "".join(marked(rng, [rng.choice(others) for _ in range(blocks)]))
    tail = "".join(marked(rng, [rng.choice(others) for _ in range(blocks)]))
    if kind == "names":
        new, old = rng.sample([word(rng) for _ in range(20)], 2)
        digit = rng.randrange(10)
        block = f"# {new}\ndef «{old}»():\n    return {digit}\n«{old}»()\n«{old}»()\n"
        made = rf"# {new}\ndef {new}\(\):\n    return {digit}\n{new}\(\)\n{new}\(\)\n"
    elif kind == "brackets":
        block = 'enter("«...»")\nleave("«...»")\n'
        made = r'enter\("(?P<word>[a-z]+)"\)\nleave\("(?P=word)"\)\n'
    else:
        b = rng.randrange(5)
        block = f"total = «...»\na = «...»\nb = {b}\n"
        made = rf"total = (?P<total>\d)\na = (?P<a>\d)\nb = (?P<b>{b})\n"
    around = [unmarked(part)[0] for part in (head, tail)]
    text, spans = unmarked(around[0] + block + around[1])
    wanted = re.compile(re.escape(around[0]) + made + re.escape(around[1]))
    return Case(kind, text, tuple(spans), wanted)


def cases(kind, count, seed=0):
    rng = random.Random(f"{kind} {seed}")
    return [case(kind, rng) for _ in range(count)]
