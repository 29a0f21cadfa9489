"""`diffill holes`: list the holes of files, or what a query finds in them; no model is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from editor_clients.command_line import files, survey
from editor_clients.command_line.exits import Exit
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.places import Place
from editor_clients.command_line.reports import JSON_SCHEMA
from editor_clients.command_line.screen import Screen, counted
from editor_clients.command_line.survey import Survey
from grammars.lines import LineIndex


def run(looked: Survey, screen: Screen, *, as_json: bool) -> Exit:
    """Print a line for each place: file:line:column, and what is there."""
    meter = Meter(screen)
    count = in_files = 0
    try:
        for file, places in _found(looked, meter):
            in_files += bool(places)
            count += len(places)
            with meter.paused():
                lines = LineIndex(file.text)
                screen.out("".join(line_of(file, lines, p, as_json=as_json) for p in places))
    finally:
        meter.end()
    screen.say(f"{counted(count, 'place')} in {counted(in_files, 'file')}")
    return Exit.DONE


def _found(looked: Survey, meter: Meter) -> Iterator[tuple[UserFile, Sequence[Place]]]:
    if looked.is_stdin:
        file = survey.standard_input(looked)
        yield file, survey.places_in(file, looked.steps[0], None)
        return
    for seen in survey.found(looked, meter):
        if seen.places:
            yield files.read(seen.name, looked.max_bytes), seen.places


def line_of(
    file: UserFile, lines: LineIndex, place: Place, *, as_json: bool, step: str = ""
) -> str:
    """Return the line that tells a place."""
    line = lines.line_at(place.span.start)
    column = place.span.start - lines.span(line).start + 1
    if not as_json:
        shown = " ".join(place.span.of(file.text).split("\n")[0].split())[:80]
        what = f"{place.what}: {shown}" if place.what.startswith("@") else place.what
        return f"{file.name}:{line + 1}:{column}: {step and f'{step}: '}{what}\n"
    values = {
        "schema": JSON_SCHEMA,
        "type": "place",
        "file": file.name.encode(errors="replace").decode(),
        "start": place.span.start,
        "end": place.span.end,
        "line": line + 1,
        "column": column,
        "what": place.what,
    }
    return json.dumps(values | ({"step": step} if step else {})) + "\n"
