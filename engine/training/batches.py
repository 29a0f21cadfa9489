"""Batches of samples of one canvas length each, in an order that any step can be resumed from."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.config import CANVAS_BUCKETS
from engine.training.samples import Sample, Sampler

_STEP = 8  # of the lengths of canvases without a tail
_UNIT = 8  # batches drawn and sorted together, so that samples of one size meet
_TOO_SHORT = 0.1  # of the samples get a canvas that does not hold all of the hole
_LONG_TAIL = 0.4  # of the others get up to 63 positions more than they need


@dataclass(frozen=True, slots=True)
class Batch:
    """B samples, padded with void behind their ends."""

    context: Tensor  # (B, C)
    context_lengths: Tensor  # (B,)
    sentinel: Tensor  # (B,)
    text: Tensor  # (B, L)
    draft: Tensor  # (B, L), what a rewrite starts from
    is_rewrite: Tensor  # (B,) bool

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        tensors = (getattr(self, name).to(device, non_blocking=True) for name in self.__slots__)
        return Batch(*tensors)


class _Units(Dataset[list[Batch]]):
    def __init__(self, sampler: Sampler, size: int, void: int, pad_to: int, *, tails: bool) -> None:
        self._sampler, self._size, self._void, self._pad_to = sampler, size, void, pad_to
        self._length = canvas_length if tails else _bare_length

    def __getitem__(self, unit: int) -> list[Batch]:
        rng = random.Random(f"{self._sampler.seed}:unit:{unit}")
        first = unit * _UNIT * self._size
        samples = [self._sampler.draw(first + i) for i in range(_UNIT * self._size)]
        rows = [(self._length(rng, sample), sample) for sample in samples]
        rows.sort(key=lambda row: (row[0], len(row[1].context)))
        batches = [
            collate([s for _, s in part], part[-1][0], self._void, self._pad_to)
            for part in (rows[i : i + self._size] for i in range(0, len(rows), self._size))
        ]
        rng.shuffle(batches)
        return batches


def canvas_length(rng: random.Random, sample: Sample) -> int:
    """Draw the bucket of a sample: the text, its end, a tail of void; or too short on purpose."""
    need = len(sample.text) + 1
    if need > CANVAS_BUCKETS[0] and sample.draft is None and rng.random() < _TOO_SHORT:
        return rng.choice([b for b in CANVAS_BUCKETS if b < need])
    if rng.random() < _LONG_TAIL:
        need += rng.randrange(64)
    return next((b for b in CANVAS_BUCKETS if b >= need), CANVAS_BUCKETS[-1])


def _bare_length(_rng: random.Random, sample: Sample) -> int:
    return -(-(len(sample.text) + 1) // _STEP) * _STEP


def collate(samples: Sequence[Sample], length: int, void: int, pad_to: int) -> Batch:
    """Make a batch; contexts are padded to a multiple of `pad_to`, for fewer shapes."""
    longest = max(len(s.context) for s in samples)

    def padded(rows: list[list[int]], size: int) -> Tensor:
        return torch.tensor([(row + [void] * size)[:size] for row in rows])

    return Batch(
        padded([s.context for s in samples], -(-longest // pad_to) * pad_to),
        torch.tensor([len(s.context) for s in samples]),
        torch.tensor([s.sentinel for s in samples]),
        padded([s.text for s in samples], length),
        padded([s.text if s.draft is None else s.draft for s in samples], length),
        torch.tensor([s.draft is not None for s in samples]),
    )


def batches(
    sampler: Sampler,
    size: int,
    void: int,
    *,
    start: int = 0,
    workers: int = 0,
    pad_to: int = 64,
    tails: bool = True,
) -> Iterator[Batch]:
    """Yield batches without end, from step `start` of the one order that the seed gives.

    Without `tails` canvases end, give or take a few positions, with their texts.
    """
    units = _Units(sampler, size, void, pad_to, tails=tails)
    loader: DataLoader[list[Batch]] = DataLoader(
        units,
        batch_size=None,
        sampler=_Counting(start // _UNIT),
        num_workers=workers,
        prefetch_factor=2 if workers else None,
    )
    skip = start % _UNIT
    for unit in loader:
        yield from unit[skip:]
        skip = 0


@dataclass(frozen=True, slots=True)
class _Counting:
    """All numbers from a first one on."""

    first: int

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += 1
