"""`diffill demo`: fill a hole and rewrite a function of two sample files; nothing is written."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from editor_clients.command_line import diff, files
from editor_clients.command_line.engines import EngineSession, OpenEngine, engine_for
from editor_clients.command_line.exits import Exit
from editor_clients.command_line.order import Dials, Order
from editor_clients.command_line.places import Place
from editor_clients.command_line.screen import Screen, stats_line
from editor_clients.command_line.targets import Lines
from grammars.languages import language_of_path
from grammars.lines import LineIndex
from grammars.span import apply

_SAMPLES = Path(__file__).with_name("samples")

_EDITS = (
    ("Fill the body of a function", "prices.py", Lines(25, 25), None),
    (
        "Rewrite a function: {}",
        "average.ts",
        Lines(8, 14),
        "Return 0 if marks is empty.",
    ),
)


def run(dials: Dials, open_engine: OpenEngine | None, screen: Screen, model: str | None) -> Exit:
    """Get the model, make both edits and show them; exit code 4 if one does not validate."""
    open_engine = open_engine or engine_for(model, screen)
    outcome = Exit.DONE
    with (
        screen.working("denoising") as on_status,
        contextlib.closing(EngineSession(open_engine, on_status)) as engine,
    ):
        for title, name, target, instruction in _EDITS:
            file = replace(files.read(str(_SAMPLES / name)), name=name)
            order = Order(instruction=instruction, dials=dials, single_line=False)
            place = Place(target.span(LineIndex(file.text)))
            language = language_of_path(name)
            result = engine.edit(order.request(file.text, place, language=language, path=name))
            screen.out(f"{title.format(instruction)} ({name}, {target})\n")
            if result.best.verdict.ok:
                text = apply(file.text, result.best.replacements)
                screen.show_diff(diff.unified(name, file.text, text))
            else:
                screen.out(f"refused: {'; '.join(result.best.verdict.reasons)}\n")
                outcome = Exit.INVALID
            screen.out(stats_line(result.stats) + "\n\n")
    return outcome
