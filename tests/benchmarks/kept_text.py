"""Measure what kept text changes in whole fills, and what it saves: by length of the text.

    python -m tests.benchmarks.kept_text [FOLDER] [--cases 60]

FOLDER is a checkpoint of `tests.benchmarks.toy_model`, by default the one in the repository. Each
case is filled twice in a row, exactly and with text kept as an effort keeps it. The toy has learned
texts of at most some hundred tokens. A second table has one pass of a model of real size, the
default one as if it saw all of its text: what it says is of no use, its time is.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from pathlib import Path

import torch

from engine.canvas import Canvas
from engine.catalogue import resolve_local
from engine.config import EFFORTS, EXACT, DenoiseConfig, Refresh
from engine.denoise import denoise
from engine.in_place import InPlaceFiller
from engine.in_place_denoiser import InPlaceDenoiser
from engine.loading import load_model
from engine.protocol import Effort
from grammars.span import Replacement, apply
from tests.benchmarks.in_place import LENGTH, TOY, denoiser, load
from tests.support import toy_language

BLOCKS = (1, 4, 16)  # of other text on each side
LENGTHS = (256, 512, 1024, 2048)
HOLE, PAIRS = 32, 5


def fill(
    filler: InPlaceFiller, case: toy_language.Case, refresh: Refresh
) -> tuple[str, InPlaceDenoiser, float]:
    """Return the text that a fill makes, what made it, and its seconds."""
    model, canvas = denoiser(filler, case, refresh, LENGTH)
    began = time.perf_counter()
    for step in denoise(model, canvas, DenoiseConfig(max_revisions=0)):
        canvas = step.canvas
    seconds = time.perf_counter() - began
    texts = [bytes(part.text_ids()).decode("utf-8", "replace") for part in canvas.parts()]
    edits = [Replacement(span, text) for span, text in zip(case.spans, texts, strict=True)]
    return apply(case.text, edits), model, seconds


def compare(filler: InPlaceFiller, cases: list[toy_language.Case], refresh: Refresh) -> str:
    """Fill every case exactly and with kept text; return a row of the table."""
    same = 0
    right, run, seconds = [0, 0], [0, 0], [0.0, 0.0]
    for case in cases:
        made = [fill(filler, case, way) for way in (EXACT, refresh)]
        same += made[0][0] == made[1][0]
        for i, (text, model, took) in enumerate(made):
            right[i] += case.is_right(text)
            run[i] += model.tokens_run
            seconds[i] += took
    size = sum(len(case.text.encode()) for case in cases) / len(cases)
    return (
        f"| {size:.0f} | {refresh.every} | {same} | {right[0]} / {right[1]} "
        f"| {run[1] / run[0]:.2f} | {seconds[1] / seconds[0]:.2f} |"
    )


def passes() -> None:
    """Print the milliseconds of a pass over all of a text and of one about its hole."""
    model, _ = load_model(resolve_local(None), lambda message, fraction: None, None)
    generator = torch.Generator().manual_seed(0)
    barred = torch.zeros(model.config.vocab_size, dtype=torch.bool)
    print("\n| tokens | all, ms | kept, ms | times as fast |\n| --: | --: | --: | --: |")
    for length in LENGTHS:
        ids = torch.randint(1000, 10_000, (length - HOLE,), generator=generator).tolist()
        around = [ids[: length // 2], ids[length // 2 :]]
        seen: list[list[float]] = [[], []]
        for _ in range(PAIRS):
            pair = InPlaceDenoiser(model, 0, 1, around, barred, Refresh(every=2))
            canvas = Canvas.blank(HOLE, 0)
            for taken in seen:
                began = time.perf_counter()
                pair(canvas)
                taken.append(1000 * (time.perf_counter() - began))
        whole, kept = map(statistics.median, seen)
        print(f"| {length} | {whole:.0f} | {kept:.0f} | {whole / kept:.1f} |", flush=True)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.kept_text", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=TOY)
    parser.add_argument("--cases", type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(1)
    filler, _, _ = load(args.folder)
    print(f"| tokens | all again every | same of {args.cases} | right, exact / kept | run | time |")
    print("| --: | --: | --: | --: | --: | --: |")
    for blocks in BLOCKS:
        rng = random.Random(1)
        kinds = [rng.choice(toy_language.KINDS) for _ in range(args.cases)]
        cases = [toy_language.case(kind, rng, blocks) for kind in kinds]
        for effort in (Effort.BALANCED, Effort.QUICK):
            print(compare(filler, cases, EFFORTS[effort].refresh), flush=True)
    passes()
    return 0


if __name__ == "__main__":
    sys.exit(main())
