"""Measure what it saves to decode requests together: `python -m tests.benchmarks.batching`.

    python -m tests.benchmarks.batching CASES.jsonl.gz ... [--cases 16] [--at-once 1,2,4,8]

As many requests as there are cases wait at the same time, as `diffill fill` on many files asks
them, and as many are worked on at once as the column says. Contexts are read anew each time; the
answers must be the same whatever the number.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import time
from typing import Any

from engine.editors import open_editor
from engine.evaluation.cases import spread
from engine.pages import start_again_in_large_pages
from engine.protocol import EditRequest
from engine.scheduler import Job, Scheduler
from tests.benchmarks.cases import cases_in, fill_request


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.batching", description=__doc__)
    parser.add_argument("cases", nargs="+", type=cases_in)
    parser.add_argument("--cases", type=int, default=16, dest="limit", help="of each file")
    parser.add_argument("--at-once", default="1,2,4,8")
    args = parser.parse_args()
    cases = [c for cases in args.cases for c in spread(cases, args.limit, 0)]
    requests = [fill_request(case, 3600.0) for case in cases]
    os.environ["DIFFILL_CONTEXT_MB"] = "0"
    editor = open_editor(None, lambda message, fraction: None)
    _answers(editor, requests[:2], 2)  # the first are slow
    first: tuple[list[str], float] | None = None
    print("| at once | s | times as fast |\n| --: | --: | --: |")
    for at_once in map(int, args.at_once.split(",")):
        began = time.perf_counter()
        texts = _answers(editor, requests, at_once)
        seconds = time.perf_counter() - began
        first = first or (texts, seconds)
        assert texts == first[0], "other answers in company"
        print(f"| {at_once} | {seconds:.1f} | {first[1] / seconds:.2f} |", flush=True)
    return 0


def _answers(editor: Any, requests: list[EditRequest], at_once: int) -> list[str]:
    said: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
    scheduler = Scheduler(lambda report: editor, lambda state: None, at_once=at_once)
    for number, request in enumerate(requests):
        job = Job(request, "benchmark", lambda message, number=number: said.put((number, message)))
        scheduler.submit(job)
        scheduler.release(job)
    found = dict(said.get() for _ in requests)
    scheduler.close()
    best = [found[number]["result"]["candidates"][0] for number in range(len(requests))]
    return [candidate["replacements"][0][2] for candidate in best]


if __name__ == "__main__":
    start_again_in_large_pages()
    sys.exit(main())
