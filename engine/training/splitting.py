"""Which files go into training, which are held out, and which are too many of their language."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.training.sources import normalised

_T = TypeVar("_T")

HELD_SHARE = 0.03  # of each language's characters
_MOST_HELD = 0.10  # a package with more of a language's text is needed in training

_FAMILIES = {
    "javascriptreact": "javascript",
    "typescript": "javascript",
    "typescriptreact": "javascript",
    "cpp": "c",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file of the corpus, without its text."""

    package: str
    path: str
    language: str  # LSP language id
    chars: int


def family(language: str) -> str:
    """Return the language that stands for those which are balanced together."""
    return _FAMILIES.get(language, language)


def held_packages(files: Sequence[File]) -> frozenset[str]:
    """Choose whole packages, in the order of a hash of their names, until each language has some.

    A language with one package alone keeps it in training.
    """
    sizes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for file in files:
        sizes[file.package][family(file.language)] += file.chars
    totals = sum(sizes.values(), Counter[str]())
    main = {package: size.most_common(1)[0][0] for package, size in sizes.items()}
    held: set[str] = set()
    for language in sorted(totals):
        mine = sorted((p for p in main if main[p] == language), key=lambda p: _draw(normalised(p)))
        small = [p for p in mine if sizes[p][language] <= _MOST_HELD * totals[language]]
        if not small and len(mine) > 1:
            small = [min(mine, key=lambda p: sizes[p][language])]
        taken = 0
        for package in small:
            size = sizes[package][language]
            if taken and taken + size > 2 * HELD_SHARE * totals[language]:
                continue
            held.add(package)
            taken += size
            if taken >= HELD_SHARE * totals[language]:
                break
    return frozenset(held)


def balanced(files: Sequence[File], python_share: float) -> list[File]:
    """Drop files of the largest other languages until Python has its share of the characters.

    Which ones is drawn by a hash of their paths. Python itself is never cut: where there is too
    little of the others, its share stays larger.
    """
    totals: Counter[str] = Counter()
    for file in files:
        totals[family(file.language)] += file.chars
    python = totals.pop("python", 0)
    if not python:
        return list(files)
    cap = _level(sorted(totals.values()), python * (1 - python_share) / python_share)
    kept: set[int] = set()
    used: Counter[str] = Counter()
    for file in _shuffled(files, lambda f: f"{f.package}/{f.path}"):
        language = family(file.language)
        if language == "python" or used[language] + file.chars <= cap:
            used[language] += file.chars
            kept.add(id(file))
    return [file for file in files if id(file) in kept]


def _level(sizes: list[int], room: float) -> float:
    """Return the cap under which sizes, smallest first, fill the room."""
    for done, size in enumerate(sizes):
        if size * (len(sizes) - done) >= room:
            return room / (len(sizes) - done)
        room -= size
    return float("inf")


def _shuffled(items: Sequence[_T], key: Callable[[_T], str]) -> list[_T]:
    return sorted(items, key=lambda item: _draw(key(item)))


def _draw(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
