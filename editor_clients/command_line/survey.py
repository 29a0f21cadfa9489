"""Before any model work: which files, which places in them, and which may not be edited."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from editor_clients.command_line import discovery, files, scanning
from editor_clients.command_line.discovery import Found, Sources
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.places import Place, Selectors
from editor_clients.command_line.scanning import Seen
from editor_clients.command_line.screen import counted
from grammars.search import QueryError

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Where to look and what for, step by step."""

    sources: Sources
    steps: tuple[Selectors, ...]
    stdin_filename: str = ""
    max_spans: int | None = None  # of each step

    @property
    def is_stdin(self) -> bool:
        """Whether the text comes from standard input."""
        return self.sources.paths == (STDIN,)

    @property
    def max_bytes(self) -> int:
        """How large a file may be."""
        return self.steps[0].search.max_bytes

    def language_of(self, name: str) -> str:
        """Return the LSP language id of a file, "" if unknown."""
        return self.steps[0].search.language_of(name)

    def can_look_into(self, name: str) -> bool:
        """Whether anything could be found in a file: to search it takes a grammar."""
        return any(step.can_look_into(name) for step in self.steps)

    def check_languages(self, names: Sequence[str]) -> None:
        """Refuse files of which none can be looked into.

        Raises:
            Stop: with the first one's name.
        """
        if not names or any(map(self.can_look_into, names)):
            return
        who = names[0] + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")
        if known := self.language_of(names[0]):
            why = f"no grammar for {known}, so --lines or --range must say where"
            raise Stop(Exit.USAGE, f"{who}: {why}")
        raise Stop(Exit.USAGE, f"{who}: of unknown language; --language says which")


@dataclass(slots=True)
class Plan:
    """What there is to do. Of each file little is kept: it is read when its turn comes."""

    counts: dict[str, list[int]]  # by name, how many places for each step
    scanned: int = 0
    skipped: int = 0  # files nobody could look into
    unknown: int = 0  # files told by name whose language nobody knows
    left_out: int = 0  # places beyond `max_spans`
    unmatched: Sequence[str] = ()  # why symbols named no place

    @property
    def places(self) -> int:
        """How many places are to be edited, as far as can be told before the first edit."""
        return sum(map(sum, self.counts.values()))

    def notes(self) -> Iterator[str]:
        """Yield what is worth to know before the first edit."""
        if self.places > 1:
            in_files = f"{counted(len(self.counts), 'file')} of {self.scanned:,}"
            yield f"{counted(self.places, 'place')} in {in_files}"
        if self.skipped:
            skipped = counted(self.skipped, "file")
            yield f"{skipped} skipped: not text, too large or too slow to parse"
        if self.unknown:
            yield f"{counted(self.unknown, 'file')} of unknown language not looked into"
        if self.left_out:
            yield f"{counted(self.left_out, 'place')} left out (--max-spans)"


def plan(survey: Survey, meter: Meter) -> Plan:
    """Look into the files and return what there is to do.

    Raises:
        Stop: if a file told by name cannot be read, a target is not in it, or nothing could be
            found in any of them.
    """
    made, listed = Plan({}), _listed(survey, meter)
    matched: list[set[str]] = []
    for number, selectors in enumerate(survey.steps):
        room = survey.max_spans
        scanned = skipped = 0
        matched.append(set())
        for one in _look_into(listed, selectors, meter):
            scanned += 1
            skipped += bool(one.refusal)
            matched[-1] |= one.symbols
            count = len(one.places) if room is None else min(room, len(one.places))
            made.left_out += len(one.places) - count
            if room is not None:
                room -= count
            if count:
                made.counts.setdefault(one.name, [0] * len(survey.steps))[number] = count
        made.scanned, made.skipped = max(made.scanned, scanned), max(made.skipped, skipped)
    survey.check_languages(listed.names)
    made.unknown = sum(not survey.can_look_into(name) for name in listed.named)
    made.unmatched = _unmatched(survey, matched)
    return made


def places_in(file: UserFile, selectors: Selectors, room: int | None) -> list[Place]:
    """Return the first `room` places of a file as it is now.

    Raises:
        Stop: if a target is not in it, or it cannot be parsed.
    """
    return selectors.places(file.name, file.text)[:room]


def unmatched_in(file: UserFile, survey: Survey) -> list[str]:
    """Return why symbols named no place of a single file.

    Raises:
        Stop: if a target is not in it, or it cannot be parsed.
    """
    matched = [
        step.named_by(step.found(file.name, file.text)) if step.search.symbols else set[str]()
        for step in survey.steps
    ]
    return _unmatched(survey, matched)


def _unmatched(survey: Survey, matched: Sequence[Collection[str]]) -> list[str]:
    """Return why the symbols of each step that are not among its matched ones named no place."""
    told: dict[str, str] = {}
    for number, (step, names) in enumerate(zip(survey.steps, matched, strict=True)):
        for symbol in step.search.symbols:
            if symbol not in names:  # an earlier step may still write it
                yet = " yet" if number else ""
                told[symbol] = f"{symbol}: no function, method or class has that name{yet}"
    return list(told.values())


def standard_input(survey: Survey) -> UserFile:
    """Read the text on standard input.

    Raises:
        Stop: if it is no text, or nothing could be found in it.
    """
    name = survey.stdin_filename or "stdin"
    survey.check_languages([name])
    raw = sys.stdin.buffer.read(survey.max_bytes + 1)
    return files.decoded(name, Path(name), raw, survey.max_bytes)


def found(survey: Survey, meter: Meter) -> Iterator[Seen]:
    """Yield what is in each file for the only step, in order.

    Raises:
        Stop: if a file told by name cannot be read, a target is not in it, or nothing could be
            found in any of them.
    """
    [selectors], listed = survey.steps, _listed(survey, meter)
    yield from _look_into(listed, selectors, meter)
    survey.check_languages(listed.names)


def _listed(survey: Survey, meter: Meter) -> Found:
    """List the files once for all steps: names may come from a pipe."""
    selectors, sources = survey.steps[0], survey.sources
    try:
        languages = [step.search.languages() for step in survey.steps]
    except QueryError as error:
        raise Stop(Exit.USAGE, f"--query: {error}") from error
    if selectors.findings and not sources:
        here = sorted(path for path in selectors.findings if Path(path).is_file())
        sources = Sources(paths=tuple(os.path.relpath(path) for path in here))
    meter.begin("listing", None, "files")
    known = [one for one in languages if one is not None]
    narrowed = frozenset[str]().union(*known) if len(known) == len(languages) else None
    listed = discovery.discover(sources, narrowed, meter.step)
    if selectors.targets and (len(listed.named) != 1 or listed.walked):
        names = ", ".join(sources.paths[:1])
        what = f"{names}: a directory, not a file" if Path(names).is_dir() else "not one file"
        raise Stop(Exit.USAGE, f"{what}: --lines and --range are places of a single file")
    return listed


def _look_into(listed: Found, selectors: Selectors, meter: Meter) -> Iterator[Seen]:
    meter.begin("looking", len(listed), "files")
    for number, seen in enumerate(scanning.scan(listed.names, selectors)):
        if seen.refusal and number < len(listed.named):
            raise Stop(Exit.USAGE, seen.refusal)
        meter.step()
        yield seen
