"""The places of a file that an edit is about, however the user named them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from editor_clients.command_line.diagnostics import Finding
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.files import MAX_FILE_BYTES
from editor_clients.command_line.targets import Target
from grammars.faults import broken_lines
from grammars.holes import find_holes
from grammars.languages import LANGUAGES, language, language_of_path
from grammars.lines import LineIndex
from grammars.search import find_captures, languages_of
from grammars.selection import body_of
from grammars.span import Span
from grammars.symbols import find_symbol
from grammars.syntax import ParseTimeout

_NEAR = 0.8  # as alike as two ids are that a slip of the finger makes of one


@dataclass(frozen=True, slots=True)
class Place:
    """A span, and what was found there: a hole's text, a finding's message, a capture's name."""

    span: Span
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for in the syntax of every file. Plain values: it crosses to other processes."""

    query: str | None = None
    symbols: tuple[str, ...] = ()
    bodies: bool = False  # a function found by its name stands for its body
    holes: bool = False
    faults: bool = False  # syntax errors
    language: str | None = None  # None: what a file's name tells
    max_bytes: int = MAX_FILE_BYTES  # larger files are not looked into

    def __post_init__(self) -> None:
        if self.language is not None and language(self.language) is None:
            _check_language(self.language)

    def __bool__(self) -> bool:
        return bool(self.query or self.symbols or self.holes or self.faults)

    def language_of(self, name: str) -> str:
        """Return the LSP language id of a file, "" if unknown."""
        return language_of_path(name) if self.language is None else self.language

    def languages(self) -> frozenset[str] | None:
        """Return the languages it can find anything in; None: any.

        Raises:
            QueryError: if the query fits none.
        """
        return frozenset(languages_of(self.query)) if self.query else None

    def places(self, name: str, text: str) -> Iterator[Place]:
        """Yield what it finds, in no order; places may overlap.

        Raises:
            ParseTimeout: if the text takes too long to parse.
        """
        known = language(self.language_of(name))
        if known is None:
            return
        if self.query and known.id in languages_of(self.query):
            for span, capture in find_captures(text, known, self.query):
                yield Place(span, f"@{capture}")
        for symbol in self.symbols:
            for span in find_symbol(text, known.id, symbol):
                body = body_of(text, known.id, span) if self.bodies else None
                # Of a class it is the body of the function around it, if there is one.
                meant = body if body and body.start > span.start else span
                yield Place(_without_last_line_end(text, meant), symbol)
        if self.holes:
            for hole in find_holes(text, known.id, name):
                yield Place(_without_last_line_end(text, hole.span), hole.what)
        if self.faults:
            for broken in broken_lines(text, known.id):
                yield Place(broken.block, broken.told(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """All the ways to name places; what they find is joined."""

    targets: tuple[Target, ...] = ()
    findings: Mapping[str, tuple[Finding, ...]] = field(
        default_factory=dict[str, tuple[Finding, ...]]
    )  # by real path
    search: Search = Search()

    def places(self, name: str, text: str) -> list[Place]:
        """Return the places of a file from its top; of two that overlap, the one that starts first.

        Raises:
            Stop: as `found`.
        """
        return apart(self.found(name, text))

    def found(self, name: str, text: str) -> list[Place]:
        """Return all that is found in a file, in no order; places may overlap.

        Raises:
            Stop: if a target is outside the file, two of them overlap, or it cannot be parsed.
        """
        lines = LineIndex(text)
        told = sorted(target.span(lines) for target in self.targets)
        for a, b in pairwise(told):
            if a.overlaps(b) or a == b:
                raise Stop(Exit.USAGE, f"{name}: two of the spans overlap")
        found = [Place(span) for span in told]
        found += _found_by_others(lines, self.findings.get(os.path.realpath(name), ()))
        try:
            found += self.search.places(name, text)
        except ParseTimeout as error:
            raise Stop(Exit.USAGE, f"{name}: {error}") from error
        return found

    def can_look_into(self, name: str) -> bool:
        """Whether anything could be found in a file: to search it takes a grammar."""
        if self.targets or self.findings or not self.search:
            return True
        return language(self.search.language_of(name)) is not None

    def named_by(self, found: Iterable[Place]) -> set[str]:
        """Return which of the symbols are among what was found."""
        return {place.what for place in found}.intersection(self.search.symbols)


def apart(places: Iterable[Place]) -> list[Place]:
    """Return places from the top; of two that overlap, the one that starts first."""
    kept: list[Place] = []
    for place in sorted(places, key=lambda p: (p.span.start, -p.span.end)):
        if not kept or (place.span.start >= kept[-1].span.end and place.span != kept[-1].span):
            kept.append(place)
        elif place.span == kept[-1].span and place.what not in kept[-1].what.split("; "):
            kept[-1] = Place(place.span, f"{kept[-1].what}; {place.what}".removeprefix("; "))
    return kept


def _found_by_others(lines: LineIndex, findings: Iterable[Finding]) -> Iterator[Place]:
    """Yield the whole lines of each finding; one that lies behind the file's end is left out."""
    for finding in findings:
        if 1 <= finding.first <= len(lines):
            yield Place(
                _lines(lines, finding.first - 1, min(finding.last, len(lines)) - 1),
                finding.message,
            )


def _lines(lines: LineIndex, first: int, last: int) -> Span:
    return Span(lines.span(first).start, lines.content(max(first, last)).end)


def _without_last_line_end(text: str, span: Span) -> Span:
    """Leave the last line end outside, as `--lines` does."""
    old = span.of(text)
    return Span(span.start, span.start + len(old.rstrip("\r\n"))) if old.strip() else span


def _check_language(language_id: str) -> None:
    """Refuse what is meant for a language id that has a grammar, and would leave it unused.

    Raises:
        Stop: with the id that may be meant.
    """
    said, ids = language_id.lower(), [known.id for known in LANGUAGES]
    near = [language_of_path(f"x.{said}"), *difflib.get_close_matches(said, ids, 1, _NEAR)]
    if meant := next(filter(None, near), None):
        raise Stop(Exit.USAGE, f"--language {language_id}: did you mean {meant}?")
