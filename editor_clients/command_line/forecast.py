"""`diffill check`: what would be edited, and what stands in the way; no model is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from editor_clients.command_line import files, listing
from editor_clients.command_line import survey as surveys
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.screen import Screen, counted
from editor_clients.command_line.survey import Survey
from editor_clients.command_line.writing import Manner
from grammars.lines import LineIndex


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to look for, and how it would be written."""

    survey: Survey
    names: tuple[str, ...]  # of the steps
    manner: Manner


def run(forecast: Forecast, screen: Screen, *, as_json: bool) -> Exit:
    """Print a line for each place that would be edited, then why some could not be.

    Exit code 1 if there is any, 2 if there is none because nothing has a symbol's name. What a
    later step would find in the work of an earlier one, nobody knows yet.
    """
    survey, manner = forecast.survey, forecast.manner
    if survey.is_stdin:
        raise Stop(Exit.USAGE, "-: `check` is for files")
    meter = Meter(screen)
    try:
        plan = surveys.plan(survey, meter)
    finally:
        meter.end()
    for told in plan.unmatched:
        screen.warn(told)
    dirty = manner.dirty([Path(name).resolve() for name in plan.counts])
    refused = 0
    for name, counts in plan.counts.items():
        file = files.read(name, survey.max_bytes)
        lines = LineIndex(file.text)
        for number, selectors in enumerate(survey.steps):
            count, title = counts[number], forecast.names[number]
            if not title and len(counts) > 1:
                title = f"step {number + 1}"
            for place in surveys.places_in(file, selectors, count) if count else ():
                screen.out(listing.line_of(file, lines, place, as_json=as_json, step=title))
        if refusal := manner.refusal(file, dirty):
            refused += 1
            screen.warn(refusal)
    found = f"{counted(plan.places, 'place')} in {counted(len(plan.counts), 'file')}"
    screen.say(f"{found} of {plan.scanned:,} would be edited")
    if refused:
        screen.say(f"{counted(refused, 'file')} of them could not be written")
    if plan.places:
        return Exit.REFUSED
    return Exit.USAGE if plan.unmatched else Exit.DONE
