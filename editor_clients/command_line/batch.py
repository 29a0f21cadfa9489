"""`diffill batch`: one fill a line, JSON in and JSON out, in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO, cast

from editor_clients.command_line import files
from editor_clients.command_line.engines import OpenEngine, engine_for, running
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.order import Dials
from editor_clients.command_line.screen import STDOUT, Screen
from engine.client import EngineClient
from engine.config import AT_ONCE
from engine.errors import ConfigError, EngineError, EngineUnavailable
from engine.protocol import EditRequest, Priority
from grammars.span import Span

_FIELDS = {
    "id": (str, int, type(None)),
    "prefix": (str,),
    "suffix": (str,),
    "language": (str,),
    "single_line": (bool,),
    "max_tokens": (int,),
}
_NEEDED = ("id", "prefix", "suffix")


def run(
    source: str,
    target: str,
    dials: Dials,
    open_engine: OpenEngine | None,
    screen: Screen,
    model: str | None,
) -> Exit:
    """Fill every line of `source` into `target`; `-` is standard input or output.

    A line that cannot be filled gives its error in its place, and exit code 1 at the end; a fill
    that is refused is an answer, with its verdict.
    """
    with _opened(source, target) as (lines, out):
        open_engine = open_engine or engine_for(model, screen)
        if target != "-":  # a redirection may append to what is there
            with contextlib.suppress(OSError):  # a pipe cannot be cut
                out.truncate(0)  # only now: older results outlive a model that cannot be had

        def keep(answer: dict[str, object]) -> None:
            with files.writing(out, STDOUT if target == "-" else target):
                out.write(json.dumps(answer).encode() + b"\n")
                out.flush()

        failed = asyncio.run(_fill_all(lines, keep, dials, open_engine, screen))
    return Exit.REFUSED if failed else Exit.DONE


async def _fill_all(
    lines: BinaryIO,
    keep: Callable[[dict[str, object]], None],
    dials: Dials,
    open_engine: OpenEngine,
    screen: Screen,
) -> int:
    size = _size(lines)
    # Who writes into a pipe may wait for each answer; and a line's limit counts from the asking.
    most = AT_ONCE if size and dials.deadline_s is None else 1
    read = done = failed = refused = 0
    asked: deque[tuple[int, asyncio.Event, asyncio.Task[dict[str, object]]]] = deque()
    with screen.progress() as report:
        async with running(open_engine, Screen(quiet=True), "") as engine:
            while (line := lines.readline()) or asked:
                read += len(line)
                if line.strip():
                    turn = asyncio.Event()
                    filling = _fill(line, dials, engine, turn, first=not (done or asked))
                    asked.append((read, turn, asyncio.create_task(filling)))
                if asked and (len(asked) == most or not line):
                    place, turn, filled = asked.popleft()
                    turn.set()
                    answer = await filled
                    keep(answer)
                    done += 1
                    failed += "error" in answer
                    verdict = answer.get("verdict")
                    refused += isinstance(verdict, dict) and not verdict["ok"]
                    report("filling", min(1.0, place / size) if size else None)
    told = f", {refused} refused" if refused else ""
    screen.say(f"{done} lines, {failed} failed{told}")
    return failed


async def _fill(
    line: bytes, dials: Dials, engine: EngineClient, turn: asyncio.Event, *, first: bool
) -> dict[str, object]:
    """Return the answer to a line; where the engine ends, it is asked again when its turn comes."""
    number: object = None
    try:
        case = _case(line)
        number = case.get("id")
        request = _request(case, dials)
        try:
            result = await engine.edit(request)
        except EngineUnavailable:  # perhaps by the fault of a line beside it
            await turn.wait()
            result = await engine.edit(request)
    except EngineError as error:
        if first and isinstance(error, EngineUnavailable):
            raise  # it would fail for every line
        return {"id": number, "error": str(error)}
    return {
        "id": number,
        "text": "".join(r.text for r in result.best.replacements),
        "verdict": {"ok": result.best.verdict.ok, "reasons": list(result.best.verdict.reasons)},
        "forward_calls": result.stats.forward_calls,
        "tokens": result.stats.tokens,
        "seconds": result.stats.seconds,
    }


def _case(line: bytes) -> dict[str, object]:
    try:
        case = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}") from error
    if not isinstance(case, dict):
        raise ConfigError("not a JSON object")
    return cast(dict[str, object], case)


def _request(case: dict[str, object], dials: Dials) -> EditRequest:
    if missing := [key for key in _NEEDED if key not in case]:
        raise ConfigError(f"missing: {', '.join(missing)}")
    for key, value in case.items():
        if key not in _FIELDS:
            raise ConfigError(f"unknown field {key!r}")
        kinds = _FIELDS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ConfigError(f"{key} is {value!r}, which it cannot be")
    prefix = cast(str, case["prefix"])
    return EditRequest(
        text=prefix + cast(str, case["suffix"]),
        spans=(Span(len(prefix), len(prefix)),),
        language=cast(str, case.get("language", "")),
        single_line=cast(bool, case.get("single_line", False)),
        max_tokens=cast("int | None", case.get("max_tokens", dials.max_tokens)),
        effort=dials.effort,
        seed=dials.seed,
        candidates=dials.candidates,
        deadline_s=dials.deadline_s,
        priority=Priority.BATCH,
    )


@contextlib.contextmanager
def _opened(source: str, target: str) -> Generator[tuple[BinaryIO, BinaryIO]]:
    with contextlib.ExitStack() as stack:
        lines, out = sys.stdin.buffer, sys.stdout.buffer
        if source != "-":
            lines = stack.enter_context(_open(source, "rb"))
        if target != "-":
            if source != "-" and Path(target).exists() and Path(source).samefile(target):
                raise Stop(Exit.USAGE, f"{target}: is the input, too")
            out = stack.enter_context(_open(target, "ab"))
        yield lines, out


def _open(name: str, mode: str) -> BinaryIO:
    try:
        return cast(BinaryIO, Path(name).open(mode))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise Stop(Exit.USAGE, f"{name}: {why.lower()}") from error


def _size(lines: BinaryIO) -> int:
    try:
        facts = os.fstat(lines.fileno())
    except OSError:
        return 0
    return facts.st_size if stat.S_ISREG(facts.st_mode) else 0
