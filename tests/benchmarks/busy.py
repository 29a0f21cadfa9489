"""Measure fills beside busy processes: `python -m tests.benchmarks.busy`.

    python -m tests.benchmarks.busy CASES.jsonl.gz [--cases 6] [--busy 0,1,2] [--rounds 3]

Each case is filled with its context known, while so many other processes never stop computing;
rounds take the numbers in turn, since machines are not the same from one minute to the next.
"""

from __future__ import annotations

import argparse
import queue
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from engine.config import AT_ONCE
from engine.editors import open_editor
from engine.evaluation.cases import spread
from engine.pages import start_again_in_large_pages
from engine.protocol import EditRequest
from engine.scheduler import Job, Scheduler
from tests.benchmarks.cases import cases_in, fill_request


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.busy", description=__doc__)
    parser.add_argument("cases", type=cases_in)
    parser.add_argument("--cases", type=int, default=6, dest="limit")
    parser.add_argument("--busy", default="0,1,2")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    cases = spread(args.cases, args.limit, 0)
    requests = [fill_request(case, 3600.0) for case in cases]
    editor = open_editor(None, lambda message, fraction: None)
    scheduler = Scheduler(lambda report: editor, lambda state: None, at_once=AT_ONCE)
    for request in requests:
        _seconds(scheduler, request)  # contexts are read
    seconds: dict[int, list[float]] = {int(number): [] for number in args.busy.split(",")}
    for _ in range(args.rounds):
        for number, found in seconds.items():
            with _busy(number):
                _seconds(scheduler, requests[0])  # what is busy is noticed
                found += [_seconds(scheduler, request) for request in requests]
    scheduler.close()
    print("| busy processes | p50 ms | mean ms | most ms |\n| --: | --: | --: | --: |")
    for number, found in seconds.items():
        p50, mean, most = statistics.median(found), statistics.mean(found), max(found)
        print(f"| {number} | {1000 * p50:.0f} | {1000 * mean:.0f} | {1000 * most:.0f} |")
    return 0


def _seconds(scheduler: Scheduler, request: EditRequest) -> float:
    said: queue.Queue[dict[str, Any]] = queue.Queue()
    job = Job(request, "benchmark", said.put)
    began = time.perf_counter()
    scheduler.submit(job)
    scheduler.release(job)
    assert said.get()["type"] == "result"
    return time.perf_counter() - began


@contextmanager
def _busy(number: int) -> Generator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    start_again_in_large_pages()
    sys.exit(main())
