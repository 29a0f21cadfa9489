"""`diffill holes`: list the holes of files, or what a query finds in them; no model is needed."""

from __future__ import annotations

import json

from editor_clients.command_line import files, survey
from editor_clients.command_line.exits import Exit
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
        if looked.is_stdin:
            work = survey.standard_input(looked)
            rows = [(work.file.name, work.file.text, work.places)]
        else:
            found = (seen for seen in survey.found(looked, meter) if seen.places)
            rows = ((seen.name, files.read(seen.name).text, seen.places) for seen in found)
        for name, text, places in rows:
            lines = LineIndex(text)
            in_files += bool(places)
            for place in places:
                count += 1
                with meter.paused():
                    screen.out(_line(name, text, lines, place, as_json=as_json))
    finally:
        meter.end()
    screen.say(f"{counted(count, 'place')} in {counted(in_files, 'file')}")
    return Exit.DONE


def _line(name: str, text: str, lines: LineIndex, place: Place, *, as_json: bool) -> str:
    line = lines.line_at(place.span.start)
    column = place.span.start - lines.span(line).start + 1
    if not as_json:
        shown = " ".join(place.span.of(text).split("\n")[0].split())[:80]
        what = f"{place.what}: {shown}" if place.what.startswith("@") else place.what
        return f"{name}:{line + 1}:{column}: {what}\n"
    values = {
        "schema": JSON_SCHEMA,
        "type": "place",
        "file": name.encode(errors="replace").decode(),
        "start": place.span.start,
        "end": place.span.end,
        "line": line + 1,
        "column": column,
        "what": place.what,
    }
    return json.dumps(values) + "\n"
