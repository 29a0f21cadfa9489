"""The engine as an ASGI application: what clients can ask over HTTP.

    GET  /hello?pid=N   who the engine is, then its status whenever that changes: a client keeps
                        this open for as long as it lives
    POST /edit          an `EditRequest`; its frames, then its result or error, one object a line
    GET  /status        one object, for people
    POST /stop          drop everything and exit

The messages are those of `engine.protocol`. A request that is refused has a status to match: 400,
or 503 with `Retry-After`. Whoever closes the connection no longer wants the answer.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from engine.errors import Busy, ConfigError, EngineError
from engine.place import Identity
from engine.protocol import EditRequest
from engine.scheduler import Job, Load, Message, Scheduler, error_message

MAX_BODY_BYTES = 16 << 20
# More than these have not been read yet: the client is slow, and a frame is soon outdated. A step
# of an edit of 32 places may bring as many at once.
MAX_UNREAD_FRAMES = 64
_LAST = frozenset({"result", "error"})


class Mailbox:
    """Messages from any thread to one connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()

    def put(self, message: Message | None) -> None:
        """Send a message; None ends the answer."""
        self._loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: Message | None) -> None:
        is_frame = message is not None and message["type"] == "frame"
        if not is_frame or self._messages.qsize() < MAX_UNREAD_FRAMES:
            self._messages.put_nowait(message)

    async def get(self) -> Message | None:
        """Wait for the next message."""
        return await self._messages.get()


class Stream:
    """An answer sent as its messages come.

    `at_start` is called when the client can see that there is one, `at_end` when it is over or
    unwanted.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        at_end: Callable[[], None],
        at_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._mailbox, self._at_end, self._at_start = mailbox, at_end, at_start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the last message, or until the client goes away."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._at_end()
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        self._at_start()
        last = False
        while not last:
            message = await self._mailbox.get()
            last = message is None or message["type"] in _LAST
            line = b"" if message is None else json.dumps(message).encode() + b"\n"
            await send({"type": "http.response.body", "body": line, "more_body": not last})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Application:
    """The routes, and what they share: the scheduler, and who is connected."""

    def __init__(self, identity: Identity, load: Load, unload_s: float | None = None) -> None:
        """Start loading; it must be made where an event loop runs."""
        self.identity = identity
        self.wants_to_stop = asyncio.Event()
        self._started = time.monotonic()
        self._clients: dict[str, tuple[int, Mailbox]] = {}
        self.scheduler = Scheduler(load, self._announce, unload_s)
        self.asgi = Starlette(
            routes=[
                Route("/hello", self._hello),
                Route("/edit", self._edit, methods=["POST"]),
                Route("/status", self._status),
                Route("/stop", self._stop, methods=["POST"]),
            ]
        )

    async def close(self) -> None:
        """Drop all work and end every answer."""
        await asyncio.to_thread(self.scheduler.close)
        for _, mailbox in list(self._clients.values()):
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
            edit = EditRequest.from_json(await _json_body(request))
            job = Job(edit, request.headers.get("x-diffill-client", ""), mailbox.put)
            self.scheduler.submit(job)
        except EngineError as error:
            return self._refusal(error)
        return Stream(
            mailbox,
            at_end=lambda: self.scheduler.cancel(job),
            at_start=lambda: self.scheduler.release(job),
        )

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
                "running": int(scheduler.is_running),
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


async def _json_body(request: Request) -> Message:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ConfigError(f"the request is longer than {MAX_BODY_BYTES:,} bytes")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the request is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError("the request is not a JSON object")
    return data


def memory_bytes() -> int:
    """Return what this process holds in memory; where Linux's way is missing, the most it held."""
    if (statm := Path("/proc/self/statm")).exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
