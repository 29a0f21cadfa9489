"""One HTTP exchange over a Unix socket, its answer read line by line. Torch-free.

A connection is used once: making one takes microseconds here, and closing it is how a client says
that it no longer wants the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import h11

_CHUNK_BYTES = 1 << 16


class Unreachable(Exception):
    """Nobody answers: whatever was asked, nobody has begun to work on it."""


class Broken(Exception):
    """The answer ended in the middle."""


class Answer:
    """An answer whose body is still coming."""

    def __init__(self, status: int, connection: h11.Connection, reader: asyncio.StreamReader):
        self.status = status
        self._connection, self._reader = connection, reader

    async def lines(self) -> AsyncGenerator[bytes]:
        """Yield each line as it comes, without its end.

        Raises:
            Broken: if the other side went away.
        """
        rest = b""
        while isinstance(event := await self._event(), h11.Data):
            *lines, rest = (rest + bytes(event.data)).split(b"\n")
            for line in lines:
                yield line
        if rest:
            yield rest

    async def body(self) -> bytes:
        """Return all of it."""
        async with aclosing(self.lines()) as lines:
            return b"\n".join([line async for line in lines])

    async def _event(self) -> object:
        try:
            return await next_event(self._connection, self._reader)
        except (h11.RemoteProtocolError, OSError) as error:
            raise Broken(str(error)) from error


async def next_event(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    """Return what the other side says next."""
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(_CHUNK_BYTES))
    return event


@asynccontextmanager
async def exchange(
    socket: Path, method: str, target: str, *, client: str = "", body: bytes = b""
) -> AsyncGenerator[Answer]:
    """Ask, and give the answer; leaving the block ends the exchange.

    Raises:
        Unreachable: if there was no answer at all.
    """
    headers = [
        ("host", "diffill"),
        ("connection", "close"),
        ("x-diffill-client", client),
        ("content-length", str(len(body))),
    ]
    request = h11.Request(method=method, target=target, headers=headers)
    connection = h11.Connection(h11.CLIENT)
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError as error:
        raise Unreachable(str(error)) from error
    try:
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        try:
            await writer.drain()
            response = await next_event(connection, reader)
        except (h11.RemoteProtocolError, OSError) as error:
            raise Unreachable(str(error)) from error
        if not isinstance(response, h11.Response):
            raise Unreachable("it closed the connection")
        yield Answer(response.status_code, connection, reader)
    finally:
        writer.transport.abort()
