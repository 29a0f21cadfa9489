"""What the language server itself costs: `python -m tests.benchmarks.server [--requests 300]`.

Times are those a client sees over the pipe, with an engine that answers at once, on a file of 5,000
lines that is edited before each request. The processor's time for each is the server's own, parsing
in its threads included, and says what a busy machine hides. Memory is `diffill lsp`'s.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.contenders import memory_mb
from tests.support.lsp_text import position
from tests.support.raw_client import ROOT, SUPPORT, raw_client

INSTANT = [sys.executable, str(SUPPORT / "instant_server.py")]
DIFFILL = [str(Path(sys.executable).with_name("diffill")), "lsp"]
CAPABILITIES = {"workspace": {"applyEdit": True}}
LINES, LINE = 5_000, "    total = price * count  # of item {}\n"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def a_file(language):
    """Return 5,000 lines with a place to type at in the middle."""
    if language != "python":
        return "".join(LINE.format(n) for n in range(LINES))
    body = "def f{0}(price, count):\n" + LINE.format(0) * 8 + "    return total\n\n\n"
    return "".join(body.format(n) for n in range(LINES // 12))


def processor_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


class Typist:
    """Types in the middle of a file and asks."""

    def __init__(self, client, folder, language):
        self.client, self.language, self.version = client, language, 1
        self.text = a_file(language)
        self.at = self.text.index("= price", len(self.text) // 2) + 2
        self.uri = (folder / f"big.{'py' if language == 'python' else 'txt'}").as_uri()
        client.open(self.text, self.uri, language)

    def change(self):
        """Return the notification of one more character at the cursor."""
        self.version += 1
        at = position(self.text, self.at, "utf-16")
        document = {"uri": self.uri, "version": self.version}
        change = {"range": {"start": at, "end": at}, "text": "a"}
        self.text = self.text[: self.at] + "a" + self.text[self.at :]
        params = {"textDocument": document, "contentChanges": [change]}
        return {"method": "textDocument/didChange", "params": params}

    def ask(self, what):
        at = position(self.text, self.at, "utf-16")
        place = {"start": at, "end": at}
        document = {"textDocument": {"uri": self.uri}}
        if what == "completion":
            params = document | {"position": at, "context": {"triggerKind": 1}}
            return self.client.request("textDocument/inlineCompletion", params)
        if what == "code action":
            params = document | {"range": place, "context": {"diagnostics": []}}
            return self.client.request("textDocument/codeAction", params)
        if what == "fill":
            argument = {"uri": self.uri, "range": place, "apply": False}
            params = {"command": "diffill.fill", "arguments": [argument]}
            return self.client.request("workspace/executeCommand", params)
        return self.client.request("test/nothing", {})

    async def times(self, what, count):
        """Return the seconds each of `count` requests took, and the processor's for one."""
        taken = []
        used = processor_s(self.client.process.pid)
        for _ in range(count):
            change, request = self.change(), self.ask(what)
            began = time.perf_counter()
            if what == "didChange":
                self.client.send(change, request)
            else:
                self.client.send(change)
                await self.client.answer(self.settled())
                began = time.perf_counter()
                self.client.send(request)
            await self.client.answer(request)
            taken.append(time.perf_counter() - began)
            self.client.messages.clear()
        return taken, (processor_s(self.client.process.pid) - used) / count

    def settled(self):
        request = self.client.request("test/nothing", {})
        self.client.send(request)
        return request


async def overhead(count):
    with tempfile.TemporaryDirectory() as folder:
        for language in ("plaintext", "python"):
            async with raw_client(server=INSTANT) as client:
                await client.initialize(CAPABILITIES, rootUri=Path(folder).as_uri())
                typist = Typist(client, Path(folder), language)
                await typist.times("completion", 5)
                parsed = "no grammar" if language == "plaintext" else "Python, parsing included"
                for what in ("didChange", "completion", "code action", "fill"):
                    taken, processor = await typist.times(what, count)
                    p99 = statistics.quantiles(taken, n=100)[98]
                    row(
                        f"{what} ({parsed})",
                        f"{statistics.median(taken) * 1e3:.1f}",
                        f"{p99 * 1e3:.1f}",
                        f"{processor * 1e3:.1f}",
                    )


async def at_rest():
    async with raw_client(server=DIFFILL) as client:
        await client.initialize(CAPABILITIES, rootUri=ROOT.as_uri())
        pid = client.process.pid
        row("memory after initialize, MB", f"{memory_mb(pid, 'VmRSS'):.0f}")
        files = sorted(ROOT.glob("*/*.py"), key=lambda path: -path.stat().st_size)[:10]
        for path in files:
            uri = client.open(path.read_text("utf-8"), path.as_uri())
            document = {"textDocument": {"uri": uri}}
            await client.call("textDocument/codeLens", document)
            place = {"start": {"line": 20, "character": 0}, "end": {"line": 20, "character": 0}}
            actions = document | {"range": place, "context": {"diagnostics": []}}
            await client.call("textDocument/codeAction", actions)
            argument = {"uri": uri, "range": place}
            params = {"command": "diffill.context", "arguments": [argument]}
            await client.call("workspace/executeCommand", params)
        lines = sum(path.read_text("utf-8").count("\n") for path in files)
        row(f"memory with ten files open ({lines:,} lines), MB", f"{memory_mb(pid, 'VmRSS'):.0f}")
        loaded = Path(f"/proc/{pid}/maps").read_text()
        row("torch in the process", "yes" if "libtorch" in loaded else "no")


async def connections():
    if shutil.which("strace") is None:
        row("sockets of the internet opened", "no strace")
        return
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "calls"
        watched = ["strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", str(log), *INSTANT]
        async with raw_client(server=watched) as client:
            await client.initialize(CAPABILITIES, rootUri=Path(folder).as_uri())
            typist = Typist(client, Path(folder), "python")
            for what in ("completion", "code action", "fill"):
                await typist.times(what, 2)
            await client.call("shutdown")
            client.notify("exit")
            await client.exit_code()  # killed, strace would leave the server alone
        row("sockets of the internet opened", str(log.read_text().count("AF_INET")))


def row(name, *cells):
    print(f"{name:48}", *(f"{cell:>9}" for cell in cells), flush=True)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="of each kind")
    count = parser.parse_args().requests
    row("", "p50 ms", "p99 ms", "CPU ms")
    await overhead(count)
    row("", "")
    await at_rest()
    await connections()


if __name__ == "__main__":
    asyncio.run(main())
