"""`diffill demo`: fill a hole and rewrite a function of two sample files; nothing is written."""

from __future__ import annotations

import asyncio
from pathlib import Path

from editor_clients.command_line import diff, files
from editor_clients.command_line.edit import Dials, Edit, request_for
from editor_clients.command_line.engines import OpenEngine, engine_for, running
from editor_clients.command_line.exits import Exit
from editor_clients.command_line.screen import Screen, stats_line
from editor_clients.command_line.targets import Lines
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
    return asyncio.run(_show(dials, open_engine or engine_for(model, screen), screen))


async def _show(dials: Dials, open_engine: OpenEngine, screen: Screen) -> Exit:
    outcome = Exit.DONE
    async with running(open_engine, screen, "denoising") as engine:
        for title, name, target, instruction in _EDITS:
            file = files.read(str(_SAMPLES / name))
            edit = Edit(
                file=file.name,
                target=target,
                instruction=instruction,
                dials=dials,
                single_line=False,
            )
            result = await engine.edit(request_for(edit, file))
            screen.out(f"{title.format(instruction)} ({name}, {target})\n")
            if result.best.verdict.ok:
                text = apply(file.text, result.best.replacements)
                screen.show_diff(diff.unified(name, file.text, text))
            else:
                screen.out(f"refused: {'; '.join(result.best.verdict.reasons)}\n")
                outcome = Exit.INVALID
            screen.out(stats_line(result.stats) + "\n\n")
    return outcome
