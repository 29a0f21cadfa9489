"""Look for places in many files: in this process, or for many files in a few others.

The others are started as `python -P -m editor_clients.command_line.scanning`, so that nothing in
the user's folder is imported. A line in is a list of names, a line out what was found in them.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from editor_clients.command_line import files
from editor_clients.command_line.exits import Stop
from editor_clients.command_line.places import Place, Search, Selectors, apart
from engine.errors import EngineUnavailable
from grammars.search import may_match
from grammars.span import Span

_MODULE = "editor_clients.command_line.scanning"
# Starting a process costs about as much as looking into this many files.
FEW_FILES = 256
_CHUNK_FILES = 64
_MAX_PROCESSES = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file holds, or why nobody looked."""

    name: str
    places: tuple[Place, ...] = ()
    refusal: str = ""
    symbols: frozenset[str] = frozenset()  # those it has, also where another place holds them


def scan(names: Sequence[str], selectors: Selectors) -> Iterator[Seen]:
    """Look into each file; yields all of them in order, as they are done."""
    if len(names) <= FEW_FILES or selectors.targets or selectors.findings:
        return (look(name, selectors) for name in names)
    return _scan_in_processes(names, selectors.search)


def look(name: str, selectors: Selectors) -> Seen:
    """Look into one file."""
    try:
        text = files.read(name, selectors.search.max_bytes).text
    except Stop as refusal:
        return Seen(name, refusal=str(refusal))
    search, query = selectors.search, selectors.search.query
    is_alone = search == Search(query=query, max_bytes=search.max_bytes)
    if query and is_alone and not may_match(text, query):
        return Seen(name)  # without so much as parsing it
    try:
        found = selectors.found(name, text)
    except Stop as refusal:
        return Seen(name, refusal=str(refusal))
    return Seen(name, tuple(apart(found)), symbols=frozenset(selectors.named_by(found)))


def _scan_in_processes(names: Sequence[str], search: Search) -> Iterator[Seen]:
    chunks = [names[i : i + _CHUNK_FILES] for i in range(0, len(names), _CHUNK_FILES)]
    with contextlib.ExitStack() as stack:
        workers: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        count = min(_cores(), _MAX_PROCESSES, len(chunks))
        threads = stack.enter_context(ThreadPoolExecutor(count))
        for _ in range(count):
            worker = _Worker(search)
            stack.callback(worker.end)  # before the threads end: it ends their waiting
            workers.put(worker)
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)

        def ask(chunk: Sequence[str]) -> list[Seen]:
            worker = workers.get()
            try:
                return worker.ask(chunk)
            finally:
                workers.put(worker)

        for seen in threads.map(ask, chunks):
            yield from seen


class _Worker:
    """A process that looks into files."""

    def __init__(self, search: Search) -> None:
        command = [sys.executable, "-P", "-m", _MODULE, json.dumps(asdict(search))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe)

    def ask(self, names: Sequence[str]) -> list[Seen]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(list(names)).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except (OSError, ValueError) as error:
            raise EngineUnavailable(f"a process that looks into files ended: {error}") from error
        if not answer:
            raise EngineUnavailable("a process that looks into files ended unexpectedly")
        return [_seen_from(row) for row in json.loads(answer)]

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()


def _seen_from(row: list[Any]) -> Seen:
    name, places, refusal, symbols = row
    found = tuple(Place(Span(a, b), what) for a, b, what in places)
    return Seen(name, found, refusal, frozenset(symbols))


def _row(seen: Seen) -> list[Any]:
    places = [(place.span.start, place.span.end, place.what) for place in seen.places]
    return [seen.name, places, seen.refusal, list(seen.symbols)]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _serve(search: Search) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the process that started this
    selectors = Selectors(search=search)
    with os.fdopen(os.dup(1), "w") as sink:
        os.dup2(2, 1)  # a stray print must not end up between two answers
        for line in sys.stdin.buffer:
            rows = [_row(look(name, selectors)) for name in json.loads(line)]
            sink.write(json.dumps(rows) + "\n")
            sink.flush()


def _search_from(source: str) -> Search:
    values = json.loads(source)
    return Search(**values | {"symbols": tuple(values["symbols"])})


if __name__ == "__main__":
    _serve(_search_from(sys.argv[1]))
