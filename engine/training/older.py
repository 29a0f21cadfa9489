"""Other texts for a hole, as it might have stood there before: what a rewrite starts from."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_NAME = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]{2,}\b")
_OPERATOR = re.compile(r"==|!=|<=|>=|\+=|-=|[<>+*-]|\band\b|\bor\b|\bTrue\b|\bFalse\b")
_SWAPS = {
    "==": "!=", "!=": "==", "<=": "<", ">=": ">", "<": "<=", ">": ">=", "+=": "-=", "-=": "+=",
    "+": "-", "-": "+", "*": "+", "and": "or", "or": "and", "True": "False", "False": "True",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Renamed:
    """A text in which one name was another, and the instruction that leads back."""

    text: str
    instruction: str


def older(rng: random.Random, text: str, around: str) -> str:
    """Return the text with one to three small mistakes: names, operators, lines lost or doubled."""
    for _ in range(rng.randint(1, 3)):
        text = rng.choice((_other_name, _other_operator, _other_lines))(rng, text, around)
    return text


def renamed(rng: random.Random, text: str) -> Renamed | None:
    """Return the text with one of its names replaced everywhere, None if it has none twice."""
    names = _NAME.findall(text)
    often = sorted({name for name in names if names.count(name) > 1})
    if not often:
        return None
    new = rng.choice(often)
    parts = [part for part in new.split("_") if part]
    old = rng.choice(("old_{}", "{}_", "my_{}", "{}2", "tmp_{}")).format(
        "_".join(parts[: max(1, len(parts) - 1)])
    )
    if old in names or old == new:
        return None
    verb = rng.choice(("Rename {} to {}.", "rename `{}` to `{}`", "Call {} {} instead."))
    return Renamed(re.sub(rf"\b{re.escape(new)}\b", old, text), verb.format(old, new))


def _other_name(rng: random.Random, text: str, around: str) -> str:
    mine, others = list(_NAME.finditer(text)), _NAME.findall(around)
    if not mine or not others:
        return text
    place = rng.choice(mine)
    return text[: place.start()] + rng.choice(others) + text[place.end() :]


def _other_operator(rng: random.Random, text: str, around: str) -> str:
    places = list(_OPERATOR.finditer(text))
    if not places:
        return text
    place = rng.choice(places)
    return text[: place.start()] + _SWAPS[place[0]] + text[place.end() :]


def _other_lines(rng: random.Random, text: str, around: str) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines)) if lines else 0
    if len(lines) > 1 and rng.random() < 0.5:
        return "".join(lines[:at] + lines[at + 1 :])
    return "".join(lines[:at] + lines[at : at + 1] + lines[at:])
