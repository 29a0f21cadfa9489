"""Holes of many sizes, written a token a pass behind contexts of many sizes."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from typing import Any

from engine.causal import NoDraft, Strand
from engine.control import Control
from engine.model import Transformer
from engine.passes import Passes
from engine.prefix_cache import PrefixCache
from engine.shape import size_of
from engine.weights import projections_of
from tests.gpu.timing import wait_for

_RUNS = 5
_COLUMNS = (
    "context",
    "hole",
    "batch",
    "context ms",
    "first ms",
    "pass ms",
    "over floor",
    "tokens/s",
)


def table(
    model: Transformer,
    ids: Sequence[int],
    contexts: Sequence[int],
    holes: Sequence[int],
    batches: Sequence[int],
    bytes_s: float,
) -> list[dict[str, Any]]:
    """Print the table, row by row; times are medians, tokens a second with the context known.

    The floor is that of reading weights and caches once a pass.
    """
    print("| " + " | ".join(_COLUMNS) + " |\n|" + " --: |" * len(_COLUMNS), flush=True)
    rows: list[dict[str, Any]] = []
    weights = _weight_bytes(model)
    for context in contexts:
        prompt = [*ids, *ids, *ids, *ids][:context]
        for hole in holes:
            for batch in batches:
                runs = [_run(model, prompt, hole, batch) for _ in range(_RUNS + 1)][1:]
                reading, first, rest = (
                    statistics.median(column) for column in zip(*runs, strict=True)
                )
                token = model.new_cache(1).num_bytes
                floor = (weights + batch * (context + hole / 2) * token) / bytes_s
                each = rest / (hole - 1)
                values = (
                    context,
                    hole,
                    batch,
                    1e3 * reading,
                    1e3 * first,
                    1e3 * each,
                    each / floor,
                )
                values = (*values, batch * hole / (first + rest))
                rows.append(dict(zip(_COLUMNS, values, strict=True)))
                print("| " + " | ".join(f"{value:.4g}" for value in values) + " |", flush=True)
    return rows


def _run(model: Transformer, prompt: list[int], hole: int, batch: int) -> tuple[float, ...]:
    """Return the seconds of the context, of the first step behind it, and of all others."""
    began = time.perf_counter()
    known = PrefixCache(model).encoded(prompt[:-1], len(prompt) + hole, Control())
    wait_for(model.device)
    read = time.perf_counter()
    caches = [known] if batch == 1 else [model.branched(known) for _ in range(batch)]
    strands = [Strand(cache, prompt[-1:], NoDraft()) for cache in caches]
    passes = Passes(model)
    passes.advance(strands, adapted=True)
    first = time.perf_counter()
    for _ in range(hole - 1):
        passes.advance(strands, adapted=True)
    return read - began, first - read, time.perf_counter() - first


def _weight_bytes(model: Transformer) -> int:
    """Return the bytes of the matrices that a pass reads."""
    c = model.config
    layers = (f"layers.{i}.{part}" for i in range(c.num_layers) for part in projections_of(c))
    sizes = (size_of(f"{name}.weight", c) for name in (*layers, "lm_head"))
    return sum(map(math.prod, sizes)) * model.dtype.itemsize
