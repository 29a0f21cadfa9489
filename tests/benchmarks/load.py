"""Fifty clients at once on one engine for a minute: is everybody served, and evenly?

    python -m tests.benchmarks.load [--clients 50] [--seconds 60] [--work-ms 2]

There is no model: a request takes `--work-ms` of pretended work on the engine's one worker. Each
client has an identity of its own and asks again as soon as it is answered; half of them use the
Unix socket, as Diffill's own do, half loopback TCP, as other tools do. A refusal because of a full
queue is honest: it says when to try again, and the client does. All else but a result is an error.

Then one client sends files of 5,000 lines, with no work to do: what is left is the service's own
cost, next to that of a child process on a pipe in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from engine.client import EngineProcess
from engine.errors import Busy, EngineError
from engine.place import Identity, Place
from engine.protocol import Candidate, EditRequest, EditResult, EditStats
from engine.shared import Home, SharedEngine
from grammars.span import Replacement, Span
from grammars.verdict import Verdict
from tests.benchmarks.samples import percentile

IDENTITY = Identity("1", "pretended", "0")
TOKEN = "benchmark"
LINES, ROUNDS = 5000, 300
STATS = EditStats(1, 1, 1, 0.0)


class Pretender:
    """An editor that takes its time and writes a word."""

    def __init__(self, work_s: float) -> None:
        self._work_s = work_s

    def edit(self, request: EditRequest, control: Any) -> EditResult:
        """Answer after the pretended work."""
        time.sleep(self._work_s)
        replacement = Replacement(request.spans[0], "word")
        return EditResult((Candidate((replacement,), Verdict(True), -0.1),), STATS)


def serve(folder: str, work_s: float) -> None:
    """Be the engine process."""
    from engine.server import run

    run(Place(Path(folder), "load"), IDENTITY, lambda report: loaded(report, work_s), detach=True)


def loaded(report: Any, work_s: float) -> Any:
    """Return the editor at once."""
    report("ready", 1.0)
    return Pretender(work_s)


def pipe() -> None:
    """Be the engine as a child process on a pipe."""
    from engine.service import Service, private_stdout

    Service(sys.stdin.buffer, private_stdout(), lambda report: loaded(report, 0.0)).run()


def home(folder: str, work_s: float) -> Home:
    """Return where the engine of this run lives."""
    command = [sys.executable, "-m", "tests.benchmarks.load", "--serve", folder, str(work_s)]
    return Home(Place(Path(folder), "load"), IDENTITY, command)


async def over_socket(engine: SharedEngine, request: EditRequest) -> float | None:
    """Ask once; return None for a result, seconds to wait for an honest refusal."""
    try:
        await engine.edit(request)
    except Busy:
        return 1.0
    return None


async def over_tcp(client: httpx2.AsyncClient, body: dict[str, Any]) -> float | None:
    """Ask once, in another tool's words."""
    response = await client.post("/v1/completions", json=body)
    if response.status_code == 503 and "retry-after" in response.headers:
        return float(response.headers["retry-after"])
    response.raise_for_status()
    assert response.json()["choices"][0]["text"] == "word"
    return None


async def one_client(ask: Any, until: float, counts: Counter[str], times: list[float]) -> None:
    """Ask again and again."""
    while time.perf_counter() < until:
        began = time.perf_counter()
        try:
            pause_s = await ask()
        except (EngineError, httpx2.HTTPError, AssertionError) as error:
            counts["errors"] += 1
            print(f"error: {error!r}", file=sys.stderr)
            continue
        if pause_s is None:
            counts["results"] += 1
            times.append(time.perf_counter() - began)
        else:
            counts["refusals"] += 1
            await asyncio.sleep(pause_s)


async def crowd(folder: str, num_clients: int, seconds: float, work_s: float) -> str:
    """Let all clients ask, and return the table of what they got."""
    place = home(folder, work_s)
    text = "def mean(marks):\n    return \n"
    at = len(text) - 1
    opened: asyncio.Queue[int] = asyncio.Queue()
    first = SharedEngine(home=place)
    listening = asyncio.create_task(first.listen(0, TOKEN, opened.put_nowait))
    url = f"http://127.0.0.1:{await opened.get()}"
    engines = [SharedEngine(home=place) for _ in range(num_clients // 2)]
    tools = [
        httpx2.AsyncClient(
            base_url=url,
            timeout=60,
            headers={"authorization": f"Bearer {TOKEN}", "user-agent": f"tool {number}"},
        )
        for number in range(num_clients - len(engines))
    ]
    request = EditRequest(text=text, spans=(Span(at, at),), language="python")
    body = {"prompt": text[:at], "suffix": text[at:]}
    asks = [partial(over_socket, engine, request) for engine in engines]
    asks += [partial(over_tcp, tool, body) for tool in tools]
    counts = [Counter[str]() for _ in asks]
    times: list[list[float]] = [[] for _ in asks]
    until = time.perf_counter() + seconds
    each = zip(asks, counts, times, strict=True)
    await asyncio.gather(*(one_client(ask, until, count, spent) for ask, count, spent in each))
    rows = [
        row("Unix socket", counts[: len(engines)], times[: len(engines)]),
        row("loopback TCP", counts[len(engines) :], times[len(engines) :]),
        row("all", counts, times),
    ]
    listening.cancel()
    for closing in (
        *(engine.close() for engine in (first, *engines)),
        *(t.aclose() for t in tools),
    ):
        await closing
    return "\n".join(
        [
            "| clients | | results | refusals | errors | p50 ms | p99 ms | least | most |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def row(name: str, counts: list[Counter[str]], times: list[list[float]]) -> str:
    """Return one line of the table; the shares are results of one client."""
    spent = [1000 * t for each in times for t in each]
    results = [count["results"] for count in counts]
    refusals, errors = (sum(count[what] for count in counts) for what in ("refusals", "errors"))
    return (
        f"| {name} | {len(counts)} | {sum(results):,} | {refusals} | {errors} "
        f"| {statistics.median(spent):.0f} | {percentile(spent, 0.99):.0f} "
        f"| {min(results)} | {max(results)} |"
    )


async def alone(folder: str) -> str:
    """Return the table of what a request costs that has nothing to do."""
    text = "".join(f"name_{number} = {number}\n" for number in range(LINES))
    request = EditRequest(text=text, spans=(Span(100, 100),), language="python")
    shared = SharedEngine(home=home(folder, 0.0))
    child = EngineProcess(command=[sys.executable, "-m", "tests.benchmarks.load", "--pipe"])
    times: dict[str, list[float]] = {"Unix socket": [], "a child's pipe": []}
    for _ in range(ROUNDS):
        for name, engine in (("Unix socket", shared), ("a child's pipe", child)):
            began = time.perf_counter()
            await engine.edit(request)
            times[name].append(1000 * (time.perf_counter() - began))
    await shared.close()
    await child.close()
    rows = [
        f"| {name} | {statistics.median(spent):.1f} | {percentile(spent[10:], 0.99):.1f} |"
        for name, spent in times.items()
    ]
    return "\n".join([f"| {LINES:,} lines over | p50 ms | p99 ms |", "|---|---|---|", *rows])


async def measure(num_clients: int, seconds: float, work_s: float) -> None:
    """Run both parts, each with an engine of its own, and print the tables."""
    with tempfile.TemporaryDirectory(prefix="diffill-") as busy:
        print(await crowd(busy, num_clients, seconds, work_s), end="\n\n")
        await stop(busy)
    with tempfile.TemporaryDirectory(prefix="diffill-") as quiet:
        print(await alone(quiet))
        await stop(quiet)


async def stop(folder: str) -> None:
    """End the engine of a folder."""
    from engine.shared import ask_engines

    async for _ in ask_engines(Path(folder), "POST", "/stop"):
        pass
    while list(Path(folder).glob("*.sock")):
        await asyncio.sleep(0.01)


def main() -> None:
    """Measure; or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--work-ms", type=float, default=2.0)
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "SECONDS"))
    parser.add_argument("--pipe", action="store_true")
    args = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # the engine starts elsewhere
    if args.serve:
        serve(args.serve[0], float(args.serve[1]))
    elif args.pipe:
        pipe()
    else:
        asyncio.run(measure(args.clients, args.seconds, args.work_ms / 1000))


if __name__ == "__main__":
    main()
