"""Random weights of a large model that sees its text whole: memory, and seconds a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.config import EFFORTS, EXACT, ModelConfig, Precision, Refresh
from engine.families import FAMILIES
from engine.family import InPlace
from engine.footprint import footprint
from engine.in_place_denoiser import InPlaceDenoiser
from engine.model import Transformer
from engine.protocol import Effort
from engine.shape import Shape, size_of
from engine.weights import weights_of
from tests.gpu.timing import peak_bytes, seconds

_FAMILY = "dream-coder"
_AROUND, _HOLE = 480, 64  # tokens on each side of the hole, and in it


class RandomTensors(Mapping[str, Tensor]):
    """A model's tensors, each made when it is asked for."""

    def __init__(self, shape: Shape, config: ModelConfig, device: torch.device) -> None:
        self._names, self._config, self._device = list(shape.stored(config)), config, device

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        size = size_of(name, self._config)
        return torch.randn(size, device=self._device, dtype=torch.bfloat16) * 0.02

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def table(device: torch.device, bytes_s: float) -> list[dict[str, Any]]:
    """Print memory and time a step in two precisions: every step exact, or most of it kept."""
    family = next(family for family in FAMILIES if family.name == _FAMILY)
    published = family.models[0]
    assert published.config and isinstance(family.layout, InPlace)
    sizes = dict(published.config)
    if device.type != "cuda":  # a rehearsal
        sizes |= {"num_hidden_layers": 2, "hidden_size": 448, "intermediate_size": 512}
    config = family.shape.config(sizes, tied=published.tied)
    rows: list[dict[str, Any]] = []
    print(f"{_FAMILY}, {config.num_layers} layers of {config.width}: a hole of {_HOLE} tokens")
    print("| precision | GB | exact step ms | kept step ms | exact over floor |", flush=True)
    print("| --- | --: | --: | --: | --: |")
    for precision in (Precision.BFLOAT16, Precision.INT8):
        rows.append(_row(family.shape, config, precision, family.layout.shift, device, bytes_s))
        size = "?" if rows[-1]["bytes"] is None else f"{rows[-1]['bytes'] / 1e9:.1f}"
        times = f"{1e3 * rows[-1]['exact_s']:.1f} | {1e3 * rows[-1]['kept_s']:.1f}"
        print(f"| {precision} | {size} | {times} | {rows[-1]['over_floor']:.2f} |", flush=True)
    return rows


def _row(
    shape: Shape,
    config: ModelConfig,
    precision: Precision,
    shift: int,
    device: torch.device,
    bytes_s: float,
) -> dict[str, Any]:
    """Measure one precision; the model is gone when it is done."""
    peak_bytes(device)
    tensors = RandomTensors(shape, config, device)
    model = Transformer(weights_of(config, tensors, precision, device))
    size = footprint(shape, config).bytes[precision]
    exact, kept = (
        seconds(_step(model, shift, refresh), device)
        for refresh in (EXACT, EFFORTS[Effort.BALANCED].refresh)
    )
    return {
        "precision": str(precision),
        "bytes": peak_bytes(device),
        "exact_s": exact,
        "kept_s": kept,
        "over_floor": exact / (size / bytes_s),
    }


def _step(model: Transformer, shift: int, refresh: Refresh) -> Callable[[], Tensor]:
    """Return a step of denoising in the middle of a text, the first of which has been made."""
    vocab = model.config.vocab_size
    around = [list(range(10, 10 + _AROUND)), list(range(10, 10 + _AROUND))]
    barred = torch.zeros(vocab, dtype=torch.bool)
    denoiser = InPlaceDenoiser(model, vocab - 1, shift, around, barred, refresh)
    canvas = Canvas.blank(_HOLE, vocab - 2)
    denoiser(canvas)
    return lambda: denoiser(canvas)
