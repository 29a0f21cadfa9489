"""`diffill engine`: run the shared engine in the foreground, look at it, stop it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from editor_clients.command_line.engines import ready_model
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen, counted, table
from engine import pages

_HEAD = (
    *("PID", "MODEL", "STATE", "MEMORY", "CLIENTS"),
    *("RUNNING", "WAITING", "DONE", "UPTIME", "PORT"),
)


def run(model: str | None, screen: Screen) -> Exit:
    """Serve until interrupted, told to stop, or idle for long."""
    if sys.platform == "win32":
        raise Stop(Exit.USAGE, "the shared engine needs Unix sockets: Windows has none for it")
    pages.start_again_in_large_pages()
    from engine.server import run_model

    ready = ready_model(model, screen)
    if not run_model(ready, on_listen=lambda place: screen.say(f"listening on {place.socket}")):
        raise Stop(Exit.REFUSED, "an engine of this model runs already: `diffill engine status`")
    return Exit.DONE


def status(screen: Screen, *, as_json: bool) -> Exit:
    """Print what runs; with `as_json` one object a line."""
    engines = _asked("GET", "/status")
    if as_json:
        screen.out("".join(json.dumps(engine) + "\n" for engine in engines))
        return Exit.DONE
    if not engines:
        screen.say("no engine is running; one starts when it is needed")
        return Exit.DONE
    rows = [_HEAD, *map(_row, engines)]
    screen.out(table(list[tuple[str, ...]](rows)))
    return Exit.DONE


def stop(screen: Screen, *, as_json: bool) -> Exit:
    """Stop every engine; a client that still works starts one again."""
    stopped = _asked("POST", "/stop")
    if as_json:
        screen.out("".join(json.dumps(engine) + "\n" for engine in stopped))
    else:
        screen.say(f"stopped {counted(len(stopped), 'engine')}")
    return Exit.DONE


def _row(engine: dict[str, Any]) -> tuple[str, ...]:
    numbers = (engine["running"], engine["waiting"], engine["done"])
    return (
        str(engine["pid"]),
        engine["model"],
        engine["state"],
        f"{engine['memory_bytes'] / 1e6:.0f} MB",
        str(len(engine["clients"])),
        *map(str, numbers),
        f"{engine['uptime_s']:.0f} s",
        ", ".join(map(str, engine["ports"])) or "-",
    )


def _asked(method: str, target: str) -> list[dict[str, Any]]:
    from engine.place import runtime_dir
    from engine.shared import ask_engines

    async def ask() -> list[dict[str, Any]]:
        return [answer async for answer in ask_engines(runtime_dir(), method, target)]

    return asyncio.run(ask())
