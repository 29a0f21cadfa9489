"""Before any model work: which files, which places in them, and which may not be edited."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from editor_clients.command_line import discovery, files, scanning
from editor_clients.command_line.discovery import Sources
from editor_clients.command_line.editing import Work
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.places import Selectors
from editor_clients.command_line.scanning import Seen
from editor_clients.command_line.writing import Manner
from grammars.search import QueryError

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Where to look and what for."""

    sources: Sources
    selectors: Selectors
    stdin_filename: str = ""
    max_spans: int | None = None

    @property
    def is_stdin(self) -> bool:
        """Whether the text comes from standard input."""
        return self.sources.paths == (STDIN,)


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do. Files are read one at a time, when their turn comes."""

    seen: tuple[Seen, ...]  # the files with places to edit
    scanned: int = 1
    skipped: int = 0  # files nobody could look into
    left_out: int = 0  # places beyond `max_spans`

    @property
    def places(self) -> int:
        """How many places are to be edited."""
        return sum(len(one.places) for one in self.seen)


def plan(survey: Survey, meter: Meter) -> Plan:
    """Look into the files and return what there is to do.

    Raises:
        Stop: if a file told by name cannot be read, or a target is not in it.
    """
    kept: list[Seen] = []
    scanned = skipped = left_out = 0
    room = survey.max_spans
    for one in found(survey, meter):
        scanned += 1
        skipped += bool(one.refusal)
        places = one.places if room is None else one.places[:room]
        left_out += len(one.places) - len(places)
        if room is not None:
            room -= len(places)
        if places:
            kept.append(replace(one, places=places))
    return Plan(tuple(kept), scanned, skipped, left_out)


def work_on(seen: Seen, survey: Survey, manner: Manner, dirty: set[Path]) -> Work:
    """Read a file again, now to edit it; of its places, those that are still there.

    Raises:
        Stop: if it cannot be read any more.
    """
    file = files.read(seen.name)
    places = [p for p in survey.selectors.places(file.name, file.text) if p in seen.places]
    language = survey.selectors.search.language_of(file.name)
    return Work(file, language, places, manner.refusal(file, dirty))


def standard_input(survey: Survey) -> Work:
    """Read the text on standard input.

    Raises:
        Stop: if it is no text, or a target is not in it.
    """
    name = survey.stdin_filename or "stdin"
    max_bytes = survey.selectors.search.max_bytes
    raw = sys.stdin.buffer.read(max_bytes + 1)
    file = files.decoded(name, Path(name), raw, max_bytes)
    places = survey.selectors.places(file.name, file.text)[: survey.max_spans]
    return Work(file, survey.selectors.search.language_of(file.name), places)


def found(survey: Survey, meter: Meter) -> Iterator[Seen]:
    """Yield what is in each file, in order.

    Raises:
        Stop: if a file told by name cannot be read, or a target is not in it.
    """
    selectors = survey.selectors
    try:
        languages = selectors.search.languages()
    except QueryError as error:
        raise Stop(Exit.USAGE, f"--query: {error}") from error
    sources = survey.sources
    if selectors.findings and not (
        sources.paths or sources.files_from or sources.changed_since is not None
    ):
        here = sorted(path for path in selectors.findings if Path(path).is_file())
        sources = Sources(paths=tuple(os.path.relpath(path) for path in here))
    listed = discovery.discover(sources, languages)
    if selectors.targets and (len(listed.named) != 1 or listed.walked):
        names = ", ".join(sources.paths[:1])
        what = f"{names}: a directory, not a file" if Path(names).is_dir() else "not one file"
        raise Stop(Exit.USAGE, f"{what}: --lines and --range are places of a single file")
    meter.begin("looking", len(listed), "files")
    for number, seen in enumerate(scanning.scan([*listed.named, *listed.walked], selectors)):
        if seen.refusal and number < len(listed.named):
            raise Stop(Exit.USAGE, seen.refusal)
        meter.step()
        yield seen
