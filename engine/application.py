"""The engine as an ASGI application: what clients can ask over HTTP.

    GET  /hello?pid=N   who the engine is, then its status whenever that changes: a client keeps
                        this open for as long as it lives
    POST /edit          an `EditRequest`; its frames, then its result or error, one object a line
    GET  /status        one object, for people
    POST /listen        `{"port", "token"}`: answer on loopback TCP, too, while this is kept open
    POST /stop          drop everything and exit

The messages are those of `engine.protocol`. A request that is refused has a status to match: 400,
or 503 with `Retry-After`. Whoever closes the connection no longer wants the answer. Other tools
have routes of their own, `engine.serving.routes`; over TCP there are these, `/edit` and `/status`,
for those who know the token.
"""

from __future__ import annotations

import asyncio
import math
import os
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.errors import Busy, ConfigError, EngineError
from engine.place import Identity
from engine.protocol import EditRequest
from engine.scheduler import Job, Load, Message, Scheduler, error_message
from engine.serving.failures import no_route
from engine.serving.guard import Guard
from engine.serving.listener import Listener
from engine.serving.mailbox import Mailbox, Stream, json_body
from engine.serving.metrics import Metrics
from engine.serving.routes import Routes, client_of


class Application:
    """The routes, and what they share: the scheduler, and who is connected."""

    def __init__(
        self, identity: Identity, load: Load, unload_s: float | None = None, at_once: int = 1
    ) -> None:
        """Start loading; it must be made where an event loop runs."""
        self.identity = identity
        self.wants_to_stop = asyncio.Event()
        self._started = time.monotonic()
        self._clients: dict[str, tuple[int, Mailbox]] = {}
        self._listeners: dict[Mailbox, Listener] = {}
        self.scheduler = Scheduler(load, self._announce, unload_s, at_once)
        self._metrics = Metrics(
            {
                "waiting": ("Requests that wait.", lambda: self.scheduler.num_waiting),
                "running": ("Requests being worked on.", lambda: self.scheduler.num_running),
                "clients": ("Diffill's own clients.", lambda: len(self._clients)),
                "memory_bytes": ("Memory of the process.", memory_bytes),
            }
        )
        public = [
            *Routes(identity.name, self.scheduler, self._metrics).routes,
            Route("/edit", self._edit, methods=["POST"]),
            Route("/status", self._status),
        ]
        self.public = Starlette(routes=public, exception_handlers={HTTPException: no_route})
        self.asgi = Starlette(
            routes=[
                *public,
                Route("/hello", self._hello),
                Route("/listen", self._listen, methods=["POST"]),
                Route("/stop", self._stop, methods=["POST"]),
            ]
        )

    @property
    def idle_s(self) -> float:
        """For how long nobody has wanted anything; an open port may be wanted at any time."""
        return 0.0 if self._listeners else self.scheduler.idle_s

    async def close(self) -> None:
        """Drop all work and end every answer."""
        await asyncio.to_thread(self.scheduler.close)
        for mailbox in [*(box for _, box in self._clients.values()), *self._listeners]:
            mailbox.put(None)

    def _announce(self, status: Message) -> None:
        for _, mailbox in list(self._clients.values()):
            mailbox.put(status)

    async def _hello(self, request: Request) -> Stream:
        client = request.headers.get("x-diffill-client", "")
        mailbox = Mailbox()
        mailbox.put({"type": "hello", "pid": os.getpid(), **asdict(self.identity)})
        mailbox.put(self.scheduler.state)
        pid = request.query_params.get("pid", "")
        self._clients[client] = int(pid) if pid.isdecimal() else 0, mailbox

        def left() -> None:
            del self._clients[client]
            self.scheduler.forget(client)

        return Stream(mailbox, left)

    async def _edit(self, request: Request) -> Stream | Response:
        mailbox = Mailbox()
        try:
            edit = EditRequest.from_json(await json_body(request))
            job = Job(edit, client_of(request), self._metrics.counting("/edit", mailbox.put))
            self.scheduler.submit(job)
        except EngineError as error:
            self._metrics.refused("/edit", error)
            return self._refusal(error)
        return Stream(
            mailbox,
            at_end=lambda: self.scheduler.cancel(job),
            at_start=lambda: self.scheduler.release(job),
        )

    async def _listen(self, request: Request) -> Stream | Response:
        try:
            wanted = await json_body(request)
            port, token = wanted.get("port"), wanted.get("token")
            if not isinstance(port, int) or not isinstance(token, str) or not token:
                raise ConfigError("port and token are missing")
            listener = Listener(Guard(self.public, token), port)
        except ConfigError as error:
            return self._refusal(error)
        mailbox = Mailbox()
        self._listeners[mailbox] = listener
        mailbox.put({"type": "listening", "port": listener.port})

        def left() -> None:
            del self._listeners[mailbox]
            listener.close()

        return Stream(mailbox, left)

    def _refusal(self, error: EngineError) -> Response:
        if isinstance(error, ConfigError):
            return JSONResponse(error_message(error), 400)
        later = math.ceil(self.scheduler.retry_after_s)
        headers = {"retry-after": str(later)} if isinstance(error, Busy) else None
        return JSONResponse(error_message(error), 503, headers)

    async def _status(self, _request: Request) -> Response:
        scheduler = self.scheduler
        return JSONResponse(
            {
                "pid": os.getpid(),
                "model": self.identity.name,
                "hash": self.identity.hash,
                "version": self.identity.version,
                "protocol": self.identity.protocol,
                "state": scheduler.state["state"],
                "message": scheduler.state["message"],
                "clients": [pid for pid, _ in self._clients.values()],
                "ports": [listener.port for listener in self._listeners.values()],
                "running": scheduler.num_running,
                "waiting": scheduler.num_waiting,
                "done": scheduler.num_done,
                "memory_bytes": memory_bytes(),
                "uptime_s": round(time.monotonic() - self._started, 1),
                "idle_s": round(scheduler.idle_s, 1),
            }
        )

    async def _stop(self, _request: Request) -> Response:
        self.wants_to_stop.set()
        return JSONResponse({"pid": os.getpid()})


def memory_bytes() -> int:
    """Return what this process holds in memory; where Linux's way is missing, the most it held."""
    if (statm := Path("/proc/self/statm")).exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
