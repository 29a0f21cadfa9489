"""Fill benchmark cases with Diffill and, case by case in the same run, with llama.cpp.

    python -m tests.benchmarks.fill FILE.jsonl.gz ... [--limit 40] [--warm] [--json OUT]

The cases are those of HumanEval-Infilling (fields prompt, suffix, canonical_solution). Both sides
start every case with a cold context, or with `--warm` just after the same fill, so that both have
its context encoded, and run on the same cores; llama.cpp fills the same GGUF
autoregressively (greedy, until it ends the fill, repeats the suffix, or has as many tokens as we
allow), and is cut by the same rules. Needs the extra `benchmark`.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from engine.catalogue import resolve_local
from engine.client import EngineProcess
from engine.protocol import EditRequest
from engine.stopping import HoleShape
from grammars.span import Span

MAX_TOKENS = 128


def cases(path: Path, limit: int) -> list[dict[str, Any]]:
    """Return `limit` cases spread over the file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return rows[:: max(1, len(rows) // limit)][:limit]


class LlamaCpp:
    """The peer: llama.cpp's own fill-in-the-middle prompt on the same file and threads."""

    def __init__(self, model: Path, threads: int, *, keeps_context: bool) -> None:
        import xllamacpp

        self._keeps_context = keeps_context
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx = 4096
        params.n_parallel = 1
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.verbosity = -1
        self._server = xllamacpp.Server(params)

    def fill(self, shape: HoleShape) -> tuple[str, int]:
        """Return the fill and the number of tokens made for it; stops as early as we do."""
        pieces: list[str] = []

        def receive(part: dict[str, Any]) -> bool:
            pieces.append(part["choices"][0]["text"])
            return shape.end("".join(pieces)) is not None

        prompt = f"<|fim_prefix|>{shape.prefix}<|fim_suffix|>{shape.suffix}<|fim_middle|>"
        request = {"prompt": prompt, "max_tokens": MAX_TOKENS, "temperature": 0}
        request |= {"cache_prompt": self._keeps_context, "stream": True}
        self._server.handle_completions(request, receive)
        text = "".join(pieces)
        end = shape.end(text)
        return shape.fit(text if end is None else end), len(pieces)


async def diffill_fill(engine: EngineProcess, shape: HoleShape) -> dict[str, Any]:
    """Fill one case through the engine process, as every client does."""
    at = len(shape.prefix)
    request = EditRequest(
        text=shape.prefix + shape.suffix,
        spans=(Span(at, at),),
        language="python",
        single_line=shape.single_line,
        max_tokens=MAX_TOKENS,
    )
    result = await engine.edit(request)
    return {
        "text": result.best.replacements[0].text,
        "tokens": result.stats.tokens,
        "forward_calls": result.stats.forward_calls,
        "valid": result.best.verdict.ok,
    }


def summary(name: str, rows: list[dict[str, Any]]) -> str:
    """Return one line of the table."""
    seconds = sorted(r["seconds"] for r in rows)
    p95 = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    speed = sum(r["tokens"] for r in rows) / sum(seconds)
    exact = sum(r["exact"] for r in rows) / len(rows)
    return (
        f"| {name} | {len(rows)} | {statistics.median(seconds):.2f} | {p95:.2f} "
        f"| {speed:.1f} | {100 * exact:.0f} % |"
    )


async def compare(
    path: Path, limit: int, model: Path, peer: LlamaCpp | None, *, warm: bool
) -> dict[str, Any]:
    """Fill the cases of one file on both sides, in turn, and print the table."""
    single_line = "single-line" in path.name
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    engine = EngineProcess(model=str(model))
    try:
        await diffill_fill(engine, HoleShape("x = ", "\n"))  # start and warm up, not counted
        rows = cases(path, limit)
        for number, case in enumerate(rows, 1):
            shape = HoleShape(case["prompt"], case["suffix"], "", single_line)
            wanted = case["canonical_solution"].strip()
            if warm:
                await diffill_fill(engine, shape)
            started = time.perf_counter()
            filled = await diffill_fill(engine, shape)
            filled["seconds"] = time.perf_counter() - started
            ours.append(filled | {"exact": filled["text"].strip() == wanted})
            if peer:
                if warm:
                    peer.fill(shape)
                started = time.perf_counter()
                text, tokens = peer.fill(shape)
                took = time.perf_counter() - started
                made = {"text": text, "tokens": tokens, "seconds": took}
                theirs.append(made | {"exact": text.strip() == wanted})
            print(f"\r{path.name}: {number} of {len(rows)}", end="", file=sys.stderr)
        print(file=sys.stderr)
    finally:
        await engine.close()
    print(f"\n{path.name}, {os.cpu_count()} cores, {'warm' if warm else 'cold'} context\n")
    print("| engine | cases | p50 s | p95 s | tokens/s | exact |\n|---|--:|--:|--:|--:|--:|")
    print(summary("Diffill", ours))
    if theirs:
        print(summary("llama.cpp", theirs))
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True)]
        print(f"\nllama.cpp takes {statistics.median(ratios):.2f} times as long (median of pairs)")
    print(f"forward calls a fill: {statistics.mean(r['forward_calls'] for r in ours):.1f}")
    return {"file": path.name, "diffill": ours, "llama.cpp": theirs}


def startup(command: list[str]) -> float:
    """Return the median seconds of five runs of a command."""
    times: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=40, help="cases of each file")
    parser.add_argument("--warm", action="store_true", help="each case just after the same fill")
    parser.add_argument("--no-peer", action="store_true", help="without llama.cpp")
    parser.add_argument("--json", type=Path, help="write every answer here")
    args = parser.parse_args()
    model = resolve_local(None).path
    script = str(Path(sys.executable).with_name("diffill"))
    print(f"`diffill --help`: {1000 * startup([script, '--help']):.0f} ms")
    if not args.warm:
        os.environ["DIFFILL_CONTEXT_MB"] = "0"
    peer = None
    if not args.no_peer:
        peer = LlamaCpp(model, os.cpu_count() or 1, keeps_context=args.warm)
    reports = [asyncio.run(compare(f, args.limit, model, peer, warm=args.warm)) for f in args.files]
    if args.json:
        args.json.write_text(json.dumps(reports, indent=1), "utf-8")


if __name__ == "__main__":
    main()
