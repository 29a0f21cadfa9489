"""What connects the thread that owns the model with the connections that wait for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from engine.errors import ConfigError
from engine.scheduler import Message

MAX_BODY_BYTES = 16 << 20
# More than these have not been read yet: the client is slow, and a frame is soon outdated.
MAX_UNREAD_FRAMES = 64  # a step of an edit of 32 places may bring as many at once
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
    """An answer sent as its messages come, one JSON object a line.

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
        leaving = asyncio.create_task(left(receive))
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


async def left(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def json_body(request: Request) -> Message:
    """Return the JSON object a request brings.

    Raises:
        ConfigError: if it brings none, or one too large.
    """
    body = bytearray()
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
