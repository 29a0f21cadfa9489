"""`diffill explain`: make one edit and show how it came about; nothing is written."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from dataclasses import dataclass, field, replace

from editor_clients.command_line import files, recording
from editor_clients.command_line import survey as surveys
from editor_clients.command_line.engines import EngineSession, OpenEngine, engine_for
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.explanation import Page
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.order import Order
from editor_clients.command_line.screen import Screen, counted
from editor_clients.command_line.survey import Survey
from engine.protocol import EditRequest, Frame

JSON_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which edit: the `edit`th of a replay file, or else of the places a survey finds."""

    replay: str | None = None
    survey: Survey | None = None
    order: Order = field(default_factory=Order)
    edit: int | None = None


def run(
    question: Question,
    open_engine: OpenEngine | None,
    screen: Screen,
    model: str | None,
    *,
    as_json: bool,
    all_steps: bool,
) -> Exit:
    """Ask for the edit, with all there is to know about it; exit code 4 if none can be offered.

    Raises:
        Stop: if there is no such edit.
        EngineError: if there is no engine to be had, or no answer.
    """
    meter = Meter(screen)
    with contextlib.ExitStack() as stack:
        stack.callback(meter.end)
        if question.replay:
            [(_, recorded)] = recording.read(question.replay, question.edit or 1)
            request, model = recorded.request, model or recorded.model
        else:
            request = _request(question, meter, screen)
        with meter.paused():
            open_engine = open_engine or engine_for(model, screen)
        engine = stack.enter_context(
            contextlib.closing(EngineSession(open_engine, meter.on_status))
        )
        frames: list[Frame] = []
        meter.begin("denoising", 1, "edits")
        result = engine.edit(replace(request, explain=True, frames=True), frames.append)
    if as_json:
        whole = {
            "schema": JSON_SCHEMA,
            "where": recording.where(request),
            "request": request.to_json(),
            "frames": [frame.to_json() for frame in frames],
            **result.to_json(),
        }
        screen.out(json.dumps(whole) + "\n")
    else:
        page = Page(
            screen.painter(sys.stdout),
            shutil.get_terminal_size((100, 24)).columns,
            all_steps=all_steps,
        )
        screen.out(page.text(request, result, frames))
    return Exit.DONE if result.best.verdict.ok else Exit.INVALID


def _request(question: Question, meter: Meter, screen: Screen) -> EditRequest:
    """Return the request for the place that is asked for, as `fill` or `rewrite` would make it."""
    survey, number = question.survey, question.edit or 1
    assert survey
    if survey.is_stdin:
        file = surveys.standard_input(survey)
        counts = {file.name: len(surveys.places_in(file, survey.steps[0], survey.max_spans))}
        unmatched = surveys.unmatched_in(file, survey)
    else:
        file = None
        plan = surveys.plan(survey, meter)
        unmatched = plan.unmatched
        counts = {name: sum(of_steps) for name, of_steps in plan.counts.items()}
    for told in unmatched:
        with meter.paused():
            screen.warn(told)
    found = [(name, i) for name, count in counts.items() for i in range(count)]
    if number > len(found):
        raise Stop(Exit.USAGE, f"which edit? There are {counted(len(found), 'place')} like that")
    if len(found) > 1 and question.edit is None:
        with meter.paused():
            screen.say(f"the first of {len(found)} places; --edit N explains another")
    name, i = found[number - 1]
    file = file or files.read(name, survey.max_bytes)
    place = surveys.places_in(file, survey.steps[0], None)[i]
    language = survey.language_of(name)
    return question.order.request(file.text, place, language=language, path=name)
