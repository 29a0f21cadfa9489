"""Measure filling in place: holes together against one by one, and kept text against exact.

    python -m tests.benchmarks.in_place [FOLDER] [--cases 200] [--picture OUT.png]

FOLDER is a checkpoint of `tests.benchmarks.toy_model`, by default the one in the repository. The
first table counts edits that are right; in the second the model looks at the canvases of exact
fills through text kept from earlier passes; the third asks what moving the kept text is worth.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.catalogue import resolve_local
from engine.config import EFFORTS, EXACT, DenoiseConfig, Refresh
from engine.denoise import denoise
from engine.edit import Editor
from engine.holes import Holes
from engine.in_place import InPlaceFiller
from engine.in_place_denoiser import InPlaceDenoiser
from engine.loading import editor_on, load_model
from engine.model import Transformer
from engine.protocol import Effort
from engine.weights import FloatWeights
from tests.benchmarks import toy_model
from tests.support import joint_filling, toy_language

TOY = Path(__file__).parents[1] / "support" / "toy_checkpoint"
REFRESHES = [
    Refresh(every=every, changed=changed, vicinity=vicinity)
    for every, changed in ((2, 1.0), (4, 1.0), (8, 1.0), (8, 0.5), (8, 0.25))
    for vicinity in (0, 4, 16)
]
LENGTH = 8  # of a canvas


@dataclass(frozen=True)
class Error:
    """What keeping text changes: of the likeliest token, of all, of the tokens that are run."""

    agreement: float  # share of masked positions with the same likeliest token
    divergence: float  # KL from the exact distribution, nats, mean
    run: float  # share of the tokens that exact passes run


def load(folder: Path) -> tuple[InPlaceFiller, InPlaceFiller, Editor]:
    """Load the toy model, in float32; return its filler, one that has learned nothing, an editor.

    Raises:
        EngineError: if there is no such model.
    """
    local = resolve_local(str(folder))
    model, tokenizer = load_model(local, lambda message, fraction: None, None, "float32")
    family = local.entry.family
    with torch.no_grad():
        untrained = Transformer(FloatWeights(model.config, toy_model.parameters(0)))
    trained, other = (InPlaceFiller(m, tokenizer, family) for m in (model, untrained))
    return trained, other, editor_on(model, tokenizer, family)


def denoiser(
    filler: InPlaceFiller, case: toy_language.Case, refresh: Refresh, length: int
) -> tuple[InPlaceDenoiser, Canvas]:
    """Return what fills a case's holes, and their canvas."""
    holes = Holes.in_text(case.text, case.spans, [], False)
    effort = replace(EFFORTS[Effort.BALANCED], refresh=refresh)
    around = filler.around(holes, holes.old, range(len(holes)), effort, length)
    return filler.denoiser(around, refresh), filler.blank([length] * len(holes))


def divergence(exact: Tensor, other: Tensor, masked: Tensor) -> tuple[int, float]:
    """Return how many masked positions agree, and the sum of their KL."""
    p, q = exact[masked].log_softmax(-1), other[masked].log_softmax(-1)
    same = int((p.argmax(-1) == q.argmax(-1)).sum())
    gap = torch.where(p.isinf(), 0.0, p.exp() * (p - q))
    return same, float(gap.sum())


def error(filler: InPlaceFiller, cases: list[toy_language.Case], refresh: Refresh) -> Error:
    """Look at every canvas of exact fills through kept text, too."""
    same, gap, count, run, whole = 0, 0.0, 0, 0, 0
    for case in cases:
        exact, canvas = denoiser(filler, case, EXACT, LENGTH)
        kept, _ = denoiser(filler, case, refresh, LENGTH)

        def both(canvas: Canvas, exact=exact, kept=kept) -> Tensor:
            nonlocal same, gap, count
            logits = exact(canvas)
            agreeing, more = divergence(logits, kept(canvas), canvas.masked)
            same, gap, count = same + agreeing, gap + more, count + int(canvas.masked.sum())
            return logits

        for _ in denoise(both, canvas, DenoiseConfig()):
            pass
        run, whole = run + kept.tokens_run, whole + exact.tokens_run
    return Error(same / count, gap / count, run / whole)


def moved(filler: InPlaceFiller, cases: list[toy_language.Case], vicinity: int) -> Error:
    """Grow every hole from 4 to 16 tokens after one pass, and look again."""
    same, gap, count = 0, 0.0, 0
    for case in cases:
        kept, short = denoiser(filler, case, Refresh(every=9, vicinity=vicinity), 4)
        exact, longer = denoiser(filler, case, EXACT, 16)
        kept(short)
        agreeing, more = divergence(exact(longer), kept(longer), longer.masked)
        same, gap, count = same + agreeing, gap + more, count + len(longer)
    return Error(same / count, gap / count, 0.0)


def main() -> int:
    """Print the tables, draw the picture."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.in_place", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=TOY)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    filler, untrained, editor = load(args.folder)

    print(f"right of {args.cases} (forward calls an edit)")
    print(f"{'':10}" + "".join(f"{way:>18}" for way in joint_filling.WAYS))
    counts: dict[str, list[int]] = {}
    for kind in toy_language.KINDS:
        cases = toy_language.cases(kind, args.cases)
        print(f"{kind:10}", end="", flush=True)
        counts[kind] = []
        for way in joint_filling.WAYS:
            right, calls = joint_filling.score(editor, cases, way)
            counts[kind].append(right)
            print(f"{right:>11} ({calls:4.1f})", end="", flush=True)
        print()

    rng = random.Random(1)
    mixed = [toy_language.case(rng.choice(toy_language.KINDS), rng) for _ in range(args.cases)]
    errors: dict[Refresh, Error] = {}
    print("\nkept text               trained                     random weights")
    print("every  changed  near    same     KL       run       same     KL")
    for refresh in REFRESHES:
        errors[refresh] = seen = error(filler, mixed, refresh)
        other = error(untrained, mixed[:40], refresh)
        print(
            f"{refresh.every:5}  {refresh.changed:7.2f}  {refresh.vicinity:4}  "
            f"{seen.agreement:6.3f}  {seen.divergence:7.4f}  {seen.run:6.2f}     "
            f"{other.agreement:6.3f}  {other.divergence:7.4f}",
            flush=True,
        )

    print("\nafter growth            turned keys           keys left as they were")
    for vicinity in (0, 4, 16):
        turned = moved(filler, mixed, vicinity)
        with patch.object(Transformer, "turned", lambda self, keys, by: keys):
            left = moved(filler, mixed, vicinity)
        print(
            f"{'near':>13} {vicinity:4}    {turned.agreement:6.3f}  {turned.divergence:7.4f}      "
            f"{left.agreement:6.3f}  {left.divergence:7.4f}"
        )
    if args.picture:
        draw(counts, errors, args.cases, args.picture)
    return 0


def draw(
    counts: dict[str, list[int]], errors: dict[Refresh, Error], number: int, picture: Path
) -> None:
    """Draw what is right by way of filling, and what kept text costs and saves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    bars, dots = figure.subplots(1, 2)
    for i, way in enumerate(joint_filling.WAYS):
        places = [k + 0.28 * (i - 1) for k in range(len(counts))]
        values = [100 * right[i] / number for right in counts.values()]
        drawn = bars.bar(places, values, 0.26, label=way)
        bars.bar_label(drawn, fmt="%.0f", fontsize=8)
    bars.set(xticks=range(len(counts)), ylabel=f"right of {number}, %", ylim=(0, 118))
    bars.set_xticklabels(counts)
    bars.legend(ncols=3, fontsize=8, loc="upper center")
    for vicinity in (0, 4, 16):
        own = {r: e for r, e in errors.items() if r.vicinity == vicinity}
        dots.plot(
            [100 * e.run for e in own.values()],
            [100 * (1 - e.agreement) for e in own.values()],
            "o",
            label=f"{vicinity} tokens about a hole",
        )
        for r, e in own.items():
            told = f" {r.every}" + ("*" if r.changed < 1 else "")
            dots.annotate(told, (100 * e.run, 100 * (1 - e.agreement)), fontsize=8)
    dots.set(xlabel="tokens run, % of exact passes", ylabel="another likeliest token, %")
    dots.set_title("all again every n passes; *: or once a quarter changed", fontsize=9)
    dots.legend(fontsize=8)
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
