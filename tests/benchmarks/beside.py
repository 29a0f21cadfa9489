"""Measure what typing waits for beside a batch: `python -m tests.benchmarks.beside`.

    python -m tests.benchmarks.beside CASES.jsonl.gz [--cases 16] [--strokes 16] [--at-once 1,4]

A typist types the expected line of one case, and asks at every key stroke once the last answer has
been there for a moment: first alone, then while there is always more of the other cases to fill
than can be worked on at once. The answers must be the same.
"""

from __future__ import annotations

import argparse
import itertools
import queue
import statistics
import sys
import threading
import time
from typing import Any

from engine.editors import open_editor
from engine.evaluation.cases import Case, spread
from engine.pages import start_again_in_large_pages
from engine.protocol import EditRequest, Effort, Priority
from engine.scheduler import Job, Scheduler
from grammars.span import Span
from tests.benchmarks.cases import cases_in

PAUSE_S = 0.2


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.beside", description=__doc__)
    parser.add_argument("cases", type=cases_in)
    parser.add_argument("--cases", type=int, default=16, dest="limit")
    parser.add_argument("--strokes", type=int, default=16)
    parser.add_argument("--at-once", default="1,4")
    args = parser.parse_args()
    longest, *others = sorted(spread(args.cases, args.limit, 0), key=lambda case: -len(case.truth))
    strokes = [_request(longest, longest.truth[:n]) for n in range(1, args.strokes + 1)]
    batch = [_request(case) for case in others]
    editor = open_editor(None, lambda message, fraction: None)
    first: list[str] | None = None
    print("| at once | typing | p50 ms | most ms | fills of the batch a s |")
    print("| --: | :-- | --: | --: | --: |")
    for at_once in map(int, args.at_once.split(",")):
        desk = _Desk(editor, at_once)
        for what in ("warming up", "alone", "beside the batch"):
            feeder = _Feeder(desk, batch, 2 * at_once) if "batch" in what else None
            began, texts, seconds = time.perf_counter(), list[str](), list[float]()
            for stroke in strokes:
                time.sleep(PAUSE_S)
                asked = time.perf_counter()
                texts.append(desk.ask(stroke).get())
                seconds.append(time.perf_counter() - asked)
            rate = feeder.end() / (time.perf_counter() - began) if feeder else 0.0
            first = first or texts
            assert texts == first, "other answers in company"
            if what != "warming up":
                p50, most = (1000 * s for s in (statistics.median(seconds), max(seconds)))
                print(f"| {at_once} | {what} | {p50:.0f} | {most:.0f} | {rate:.2f} |", flush=True)
        desk.scheduler.close()
    return 0


def _request(case: Case, typed: str = "") -> EditRequest:
    at = len(case.prefix) + len(typed)
    return EditRequest(
        text=case.prefix + typed + case.suffix,
        spans=(Span(at, at),),
        language=case.language,
        path="typed" if typed else case.id,
        effort=Effort.QUICK if typed else Effort.BALANCED,
        single_line=True,
        deadline_s=3600.0,
        priority=Priority.TYPING if typed else Priority.BATCH,
    )


class _Desk:
    """Takes requests, and gives a queue on which the text of the answer will be."""

    def __init__(self, editor: Any, at_once: int) -> None:
        self.scheduler = Scheduler(lambda report: editor, lambda state: None, at_once=at_once)

    def ask(self, request: EditRequest) -> queue.Queue[str]:
        said: queue.Queue[str] = queue.Queue()

        def send(message: dict[str, Any]) -> None:
            result = message.get("result")
            said.put(result["candidates"][0]["replacements"][0][2] if result else "")

        job = Job(request, request.path, send)
        self.scheduler.submit(job)
        self.scheduler.release(job)
        return said


class _Feeder:
    """Always has so many fills of a batch in the scheduler, until it is ended."""

    def __init__(self, desk: _Desk, requests: list[EditRequest], count: int) -> None:
        self._is_ended = False
        self._done = itertools.count()
        rest = itertools.cycle(requests)

        def feed() -> None:
            while not self._is_ended:
                desk.ask(next(rest)).get()
                next(self._done)

        self._threads = [threading.Thread(target=feed) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def end(self) -> int:
        """Return how many have been filled by now, when the rest is done."""
        done = next(self._done)
        self._is_ended = True
        for thread in self._threads:
            thread.join()
        return done


if __name__ == "__main__":
    start_again_in_large_pages()
    sys.exit(main())
