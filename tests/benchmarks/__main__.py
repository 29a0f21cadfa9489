"""Measure Diffill, and its peers in the same run: `python -m tests.benchmarks`.

One table goes to standard output, `benchmarks.json` and `benchmarks.png` into the folder of --out.
README.md beside this file tells how to read them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import torch

from engine.catalogue import resolve_local
from engine.errors import CheckpointError, EngineError
from engine.family import Family
from engine.loading import load_model, shipped_adapter
from engine.pages import start_again_in_large_pages
from tests.benchmarks import answers, lengths, startup
from tests.benchmarks.cases import fill_cases
from tests.benchmarks.contenders import AbsentError, PeerProcess
from tests.benchmarks.floor import Floor, measured_rates
from tests.benchmarks.peer import PEERS
from tests.benchmarks.report import Report, draw, table
from tests.benchmarks.suite import Loaded, Options, Suite, settings

# In this order: the longest last.
PARTS = {
    "start": startup.engine,
    "passes": lengths.passes,
    "fills": answers.fills,
    "rewrites": answers.rewrites,
    "lengths": lengths.lengths,
}
_WITH_PEERS = {"fills", "rewrites", "lengths"}
_LINE_S = 10.0  # between two lines of progress in a log


async def measure(
    suite: Suite, parts: Sequence[str], peers: Sequence[str], model: str | None
) -> None:
    """Run the parts; what is not there becomes a sentence of the report, and the rest runs."""
    absent = suite.report.absent
    if "start" in parts:  # of which a part needs no model
        try:
            await startup.commands(suite)
        except AbsentError as error:
            absent.append(str(error))
    try:
        loaded = load(suite, model)
    except EngineError as error:
        absent.append(str(error))
        return
    try:
        for name in peers if _WITH_PEERS & set(parts) else ():
            await start(suite, loaded, name)
        for name in parts:
            try:
                await PARTS[name](suite, loaded)
            except (AbsentError, EngineError) as error:
                absent.append(f"{name}: {error}")
        for peer in suite.peers:
            suite.report.note_peak("all of it", peer.name, peer.peak_mb())
    finally:
        for peer in suite.peers:
            await peer.close()


def load(suite: Suite, model: str | None) -> Loaded:
    """Load the model into this process and measure what the machine could do with it.

    Raises:
        EngineError: if it is not on this machine, or fills no hole from left to right.
    """
    suite.tell("loading the model")
    local = resolve_local(model)
    family = local.entry.family
    if not isinstance(family, Family) or local.path.is_dir():
        raise CheckpointError(f"{local.path} is no GGUF file of a model that the peers run, too")
    transformer, tokenizer = load_model(local, lambda message, at: None, shipped_adapter(local))
    suite.tell("measuring the machine")
    rates = measured_rates()
    suite.report.about |= {
        "model": local.path.name,
        "memory_bytes_s": rates.bytes_s,
        "int8_multiplications_s": rates.multiplications_s,
    }
    return Loaded(local, transformer, tokenizer, family, Floor(transformer, rates))


async def start(suite: Suite, loaded: Loaded, name: str) -> None:
    """Start a peer, unless it is absent."""
    suite.tell(f"starting {name}")
    try:
        peer = await PeerProcess.start(
            name, loaded.local.path, torch.get_num_threads(), loaded.tokenizer, loaded.family
        )
    except AbsentError as error:
        suite.report.absent.append(str(error))
        return
    suite.report.about["engines"][name] = peer.about
    suite.peers.append(peer)


def about(options: Options) -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "engines": {"Diffill": f"int8, torch {torch.__version__}"},
        "options": settings(options),
    }


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def progress() -> Callable[[str], None]:
    """Return what shows how far a run is: in place on a terminal, a line now and then in a log."""
    began, last = time.monotonic(), -_LINE_S
    is_terminal = sys.stderr.isatty()

    def tell(message: str) -> None:
        nonlocal last
        now = time.monotonic() - began
        line = f"{now // 60:02.0f}:{now % 60:02.0f} {message}"
        if is_terminal:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif now - last >= _LINE_S:
            last = now
            print(line, file=sys.stderr, flush=True)

    return tell


def write(report: Report, folder: Path) -> None:
    """Write the JSON, and the chart if matplotlib is there."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        draw(report.rows, folder / "benchmarks.png")
    except ImportError:
        report.absent.append("the chart needs matplotlib: pip install '.[test]'")
    text = json.dumps(report.json(), indent=1)
    (folder / "benchmarks.json").write_text(text + "\n", "utf-8")


def heading(report: Report) -> str:
    """Return what stands above the table."""
    told = report.about
    lines = [f"{told['cores']} cores ({told['processor']}), {told['threads']} threads"]
    lines[0] += f", load {told['load']:.1f} before it began"
    if "model" in told:
        lines[0] += (
            f"; memory {told['memory_bytes_s'] / 1e9:.1f} GB/s, int8 "
            f"{told['int8_multiplications_s'] / 1e9:.0f} G multiplications/s; {told['model']}"
        )
    return "\n".join([*lines, *(f"- {name}: {what}" for name, what in told["engines"].items())])


def names(text: str) -> list[str]:
    """Read the names of parts."""
    found = text.split(",")
    if unknown := [name for name in found if name not in PARTS]:
        known = ", ".join(PARTS)
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no part; the parts are: {known}")
    return [name for name in PARTS if name in found]


def parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    made.add_argument(
        "files",
        nargs="*",
        type=Path,
        help="holes to fill, as HumanEval-Infilling has them (*.jsonl.gz); own ones by default",
    )
    made.add_argument("--out", type=Path, default=Path("build/benchmarks"), metavar="DIR")
    made.add_argument("--cases", type=int, default=10, metavar="N", help="of each kind")
    made.add_argument("--runs", type=int, default=3, metavar="N", help="of each case")
    made.add_argument(
        "--only", type=names, default=list(PARTS), metavar="NAMES", help=",".join(PARTS)
    )
    made.add_argument("--quick", action="store_true", help="one case of each kind, one run")
    made.add_argument("--no-peers", action="store_true", help="Diffill alone")
    made.add_argument("--model", help="another GGUF file, or a name in the catalogue")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; 1 if there was nothing to measure."""
    args = parser().parse_args(arguments)
    if min(args.cases, args.runs) < 1:
        parser().error("--cases and --runs are at least 1")
    try:
        fill_cases(args.files, args.cases)  # before an hour is spent
    except EngineError as error:
        parser().error(str(error))
    os.environ["DIFFILL_PRECISION"] = "int8"  # what the floor is of
    options = Options(files=tuple(args.files), cases=args.cases, runs=args.runs)
    options = options.quick() if args.quick else options
    report = Report(about(options))
    suite = Suite(options, report, progress())
    peers = () if args.no_peers else tuple(PEERS)
    try:
        asyncio.run(measure(suite, args.only, peers, args.model))
    finally:  # what was measured until a Ctrl-C is kept
        write(report, args.out)
        print(file=sys.stderr)
        print(heading(report), table(report.rows), sep="\n\n")
        for sentence in report.absent:
            print(f"\nNot measured: {sentence}")
    return 0 if report.rows else 1


if __name__ == "__main__":
    start_again_in_large_pages()
    sys.exit(main())
