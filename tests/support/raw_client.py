"""A JSON-RPC client that hides nothing: it sees missing answers and can send what is wrong."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = Path(__file__).parent
SERVER = [sys.executable, str(SUPPORT / "scripted_server.py")]
DEADLINE_S = 30.0


def environment():
    """Return that of now, without the settings of whoever runs the test, counting for nobody."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "DIFFILL_CONFIG": str(ROOT / "no-such-folder"),
        "DIFFILL_METRICS": "off",
    }


def script(**script):
    """Return the first line of a document that tells the scripted server what to do."""
    return f"# script {json.dumps(script)}\n"


class RawClient:
    def __init__(self, process):
        self.process = process
        self.messages = []
        self.broken = None  # the first thing on stdout that is not protocol
        self._ids = iter(range(1, 10_000))
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    def send(self, *messages):
        """Write messages in one go, so that the server may read them in one go."""
        bodies = [json.dumps({"jsonrpc": "2.0"} | m).encode() for m in messages]
        self.process.stdin.write(
            b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)
        )

    def request(self, method, params=None):
        """Return a request, to be sent; its id is that of the answer."""
        return {"id": next(self._ids), "method": method, "params": params}

    def notify(self, method, params=None):
        self.send({"method": method, "params": params})

    async def call(self, method, params=None):
        request = self.request(method, params)
        self.send(request)
        return await self.answer(request)

    async def answer(self, request):
        return await self.until(lambda m: m.get("id") == request["id"] and "method" not in m)

    async def notification(self, method, where=lambda params: True):
        message = await self.until(lambda m: m.get("method") == method and where(m["params"]))
        return message["params"]

    async def until(self, wanted):
        """Return the first message ever received that is wanted."""
        async with asyncio.timeout(DEADLINE_S), self._news:
            while True:
                if self.broken is not None:
                    raise AssertionError(f"not protocol: {self.broken!r}")
                for message in self.messages:
                    if wanted(message):
                        return message
                if self._reader.done():
                    raise AssertionError(f"the server closed stdout; it sent {self.messages}")
                await self._news.wait()

    async def _read(self):
        stdout = self.process.stdout
        while header := await stdout.readline():
            if not header.startswith(b"Content-Length: "):
                self.broken = header
                break
            length = int(header.split(b":")[1])
            while (await stdout.readline()).strip():
                pass
            self.messages.append(json.loads(await stdout.readexactly(length)))
            async with self._news:
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def exit_code(self):
        return await asyncio.wait_for(self.process.wait(), DEADLINE_S)

    async def initialize(self, capabilities=None, **params):
        answer = await self.call(
            "initialize",
            {"processId": None, "rootUri": None, "capabilities": capabilities or {}} | params,
        )
        self.notify("initialized", {})
        return answer["result"]["capabilities"]

    def open(self, text, uri="file:///project/a.py", language="python", version=1):
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return uri


@asynccontextmanager
async def raw_client(*arguments, server=SERVER, env=None):
    process = await asyncio.create_subprocess_exec(
        *server,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment() | (env or {}),
        limit=1 << 24,
    )
    client = RawClient(process)
    try:
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        client._reader.cancel()
    assert client.broken is None, f"not protocol: {client.broken!r}"
