"""`diffill fill` and `diffill rewrite`: one span of one file, shown as a diff or written."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass

from editor_clients.command_line import diff, files
from editor_clients.command_line.engines import OpenEngine, ask, engine_for
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen, stats_line
from editor_clients.command_line.targets import Target
from engine.protocol import EditRequest, EditResult, Effort
from grammars.languages import language_of_path
from grammars.lines import LineIndex
from grammars.span import apply

JSON_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Dials:
    """The options every command with an engine takes."""

    effort: Effort = Effort.BALANCED
    seed: int = 0
    max_tokens: int | None = None
    candidates: int | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One call of the command."""

    file: str
    target: Target
    instruction: str | None  # None fills
    dials: Dials
    language: str | None = None  # None: what the file's name tells
    single_line: bool | None = None  # None: as the span is
    write: bool = False
    as_json: bool = False


def request_for(edit: Edit, file: files.UserFile) -> EditRequest:
    """Return what the engine is asked.

    Raises:
        Stop: if the target is not in the file.
        ConfigError: if another option is out of its bounds.
    """
    span = edit.target.span(LineIndex(file.text))
    single_line = edit.single_line
    if single_line is None:  # a rewrite is held to its old text, not to a number of lines
        single_line = edit.instruction is None and not re.search(r"[\r\n]", span.of(file.text))
    return EditRequest(
        text=file.text,
        spans=(span,),
        language=language_of_path(file.name) if edit.language is None else edit.language,
        path=os.fsencode(file.name).decode(errors="replace"),
        instruction=edit.instruction,
        single_line=single_line,
        **asdict(edit.dials),
    )


def run(edit: Edit, open_engine: OpenEngine | None, screen: Screen, model: str | None) -> Exit:
    """Make the edit and show it; write it if told to."""
    file = files.read(edit.file)
    request = request_for(edit, file)
    if edit.write:
        files.check_writable(file)
    open_engine = open_engine or engine_for(model, screen)
    result = ask(open_engine, request, screen, "rewriting" if edit.instruction else "filling")
    if not result.best.verdict.checked:
        known = f"no grammar for {request.language}" if request.language else "unknown language"
        screen.say(f"{known}: the edit was not checked")
    text = apply(file.text, result.best.replacements)
    ok = result.best.verdict.ok
    refusal = _write(file, text) if edit.write and ok and text != file.text else None
    changes = diff.unified(file.name, file.bom + file.text, file.bom + text)
    if edit.as_json:
        written = edit.write and ok and text != file.text and refusal is None
        screen.out(json.dumps(_as_json(edit, request, result, changes, written)) + "\n")
    elif ok:
        screen.show_diff(changes)  # even when writing was refused: the work is not lost
    if ok and not changes:
        screen.say("nothing to change")
    screen.say(stats_line(result.stats))
    if not ok:
        raise Stop(Exit.INVALID, f"{edit.file}: refused: {_reasons(result)}")
    if refusal:
        raise refusal
    return Exit.DONE


def _write(file: files.UserFile, text: str) -> Stop | None:
    try:
        files.write(file, text)
    except Stop as refusal:
        return refusal
    return None


def _reasons(result: EditResult) -> str:
    return "; ".join(result.best.verdict.reasons) or "the result did not validate"


def _as_json(
    edit: Edit, request: EditRequest, result: EditResult, changes: str, written: bool
) -> dict[str, object]:
    best = result.best
    return {
        "schema": JSON_SCHEMA,
        "file": request.path,
        "language": request.language,
        "verdict": {
            "ok": best.verdict.ok,
            "reasons": list(best.verdict.reasons),
            "checked": best.verdict.checked,
        },
        # Offsets count characters of the file's text, a byte order mark not among them.
        "replacements": [
            {"start": r.span.start, "end": r.span.end, "text": r.text} for r in best.replacements
        ],
        "diff": changes,
        "written": written,
        **asdict(result.stats),
    }
