"""`diffill serve`: other tools ask the shared engine, on loopback TCP and with a token."""

from __future__ import annotations

import asyncio
import os
import sys

from editor_clients.command_line.engines import ready_model
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen

_MAX_PORT = 65535


def run(model: str | None, port: int, screen: Screen) -> Exit:
    """Serve until interrupted, or until the engine is stopped."""
    if sys.platform == "win32":
        raise Stop(Exit.USAGE, "the shared engine needs Unix sockets: Windows has none for it")
    if port > _MAX_PORT:
        raise Stop(Exit.USAGE, f"port is {port}, not at most {_MAX_PORT}")
    from engine.secret import TOKEN_VARIABLE, own_token, token_file
    from engine.shared import SharedEngine

    token = own_token()
    where = TOKEN_VARIABLE if os.environ.get(TOKEN_VARIABLE) else token_file()

    def opened(port: int) -> None:
        screen.say(f"http://127.0.0.1:{port} answers whoever sends the token in {where}")

    async def serve() -> None:
        engine = SharedEngine(ready_model(model, screen))
        try:
            await engine.listen(port, token, opened)
        finally:
            await engine.close()

    asyncio.run(serve())
    screen.say("the engine was stopped")
    return Exit.DONE
