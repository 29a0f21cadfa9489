"""Loopback TCP: a second door to an engine, open for as long as somebody holds it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from engine.errors import ConfigError

ADDRESS = "127.0.0.1"


class _Server(uvicorn.Server):
    """uvicorn, leaving the signals to the server of the engine's own socket."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


class Listener:
    """Serves an application on a port of this machine's own address; 0 is any port.

    Raises:
        ConfigError: if the port is taken or not for us.
    """

    def __init__(self, application: ASGIApp, port: int) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((ADDRESS, port))
            listening.listen()  # now: a second one on the port is refused here, not in the task
        except (OSError, OverflowError) as error:
            listening.close()
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"port {port} cannot be had: {reason}") from error
        self.port: int = listening.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                application,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))

    def close(self) -> None:
        """Take no more requests; those that are worked on have a few seconds."""
        self._server.should_exit = True
