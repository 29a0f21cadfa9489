"""`diffill replay`: put recorded questions again, and tell which answers are not the same."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from editor_clients.command_line import diff, recording
from editor_clients.command_line.engines import EngineSession, OpenEngine, engine_for
from editor_clients.command_line.exits import Exit
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.recording import Ask, Recorded
from editor_clients.command_line.screen import Screen, counted
from engine import __version__
from engine.errors import EngineError, EngineUnavailable
from grammars.span import apply


def run(
    name: str,
    edit: int | None,
    open_engine: OpenEngine | None,
    screen: Screen,
    model: str | None,
    *,
    as_json: bool,
) -> Exit:
    """Replay a file, or one edit of it; exit code 1 if an answer differs.

    Raises:
        Stop: if it is no replay file.
        EngineError: if there is no engine to be had.
    """
    lines = recording.read(name, edit)
    _, first = lines[0]
    if first.version != __version__:
        screen.warn(f"recorded by Diffill {first.version}, replayed by {__version__}")
    open_engine = open_engine or engine_for(model or first.model, screen)
    meter, num_others = Meter(screen), 0
    with contextlib.ExitStack() as stack:
        stack.callback(meter.end)
        engine = stack.enter_context(
            contextlib.closing(EngineSession(open_engine, meter.on_status))
        )
        meter.begin("replaying", len(lines), "edits")
        for number, recorded in lines:
            told = {"schema": recording.SCHEMA, "edit": number} | _compared(recorded, engine.edit)
            num_others += not told["same"]
            meter.step()
            with meter.paused():
                _show(told, screen, as_json=as_json)
    screen.say(f"{counted(len(lines), 'edit')} replayed, {num_others} with another answer")
    return Exit.REFUSED if num_others else Exit.DONE


def _compared(recorded: Recorded, ask: Ask) -> dict[str, Any]:
    """Ask again: all candidates, their scores and verdicts must be the same."""
    request, before = recorded.request, recorded.result
    told = {"where": recording.where(request), "same": False, "why": "", "diff": ""}
    try:
        after = ask(request)
    except EngineUnavailable:
        raise
    except EngineError as error:
        same = before is None and str(error) == recorded.error
        return told | {"same": same, "why": "" if same else f"no answer: {error}"}
    if before is None:
        return told | {"why": f"there was no answer then: {recorded.error}"}
    if after.candidates == before.candidates:
        return told | {"same": True}
    texts = (apply(request.text, result.best.replacements) for result in (before, after))
    changes = diff.unified(request.path or "text", *texts)
    why = "another text" if changes else "the same text, but other candidates or scores"
    if before.is_cut or after.is_cut:
        why += ": the deadline cut it short"
    return told | {"why": why, "diff": changes}


def _show(told: dict[str, Any], screen: Screen, *, as_json: bool) -> None:
    if as_json:
        screen.out(json.dumps(told) + "\n")
        return
    screen.out(f"{told['edit']}  {told['where']}  {'the same' if told['same'] else told['why']}\n")
    screen.show_diff(told["diff"])
