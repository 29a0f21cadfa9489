"""A model that sees all of a text, as a denoiser of the holes in it.

What stands around the holes is computed when `Refresh` says so; between that its keys and values
are kept, moved along where a hole changes its length, and a pass runs the holes and their vicinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.canvas import Canvas
from engine.config import Refresh
from engine.model import Transformer, place_of
from engine.text_cache import TextCache


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything stands, as positions of the text of N tokens."""

    lengths: tuple[int, ...]  # of the holes
    around: Tensor  # (N - L,)
    holes: Tensor  # (L,)
    near: Tensor  # holes and their vicinity

    @classmethod
    def of(cls, around: Sequence[int], holes: tuple[int, ...], vicinity: int) -> _Layout:
        """Lay out n + 1 runs of tokens with n holes between them, given their lengths."""
        runs = zip_longest(around, holes, fillvalue=0)
        is_hole = torch.tensor([is_hole for run in runs for is_hole in _flags(*run)])
        near = F.max_pool1d(is_hole.float()[None], 2 * vicinity + 1, 1, vicinity)[0] > 0
        places = [(~is_hole).nonzero()[:, 0], is_hole.nonzero()[:, 0], near.nonzero()[:, 0]]
        return cls(holes, *places)

    def __len__(self) -> int:
        return len(self.around) + len(self.holes)


def _flags(around: int, hole: int) -> list[bool]:
    return [False] * around + [True] * hole


class InPlaceDenoiser:
    """The model as a denoiser of a canvas whose n holes stand between n + 1 runs of tokens.

    `tokens_run` counts the tokens that passed through the model.
    """

    def __init__(
        self,
        model: Transformer,
        mask: int,
        shift: int,
        around: Sequence[Sequence[int]],
        barred: Tensor,
        refresh: Refresh,
    ) -> None:
        assert len(around[0]) >= shift, "a shifted model reads its first token at its left one"
        self._model, self._mask, self._shift, self._refresh = model, mask, shift, refresh
        self._around = torch.tensor([*chain(*around)], dtype=torch.long)
        self._sizes = [len(run) for run in around]
        self._barred = barred.to(model.device)  # (V,) bool
        self._layout: _Layout | None = None
        self._cache: TextCache | None = None
        self._seen: list[Tensor] = []  # of each hole, what it showed when all was computed last
        self._passes = 0  # since then
        self.tokens_run = 0

    def __call__(self, canvas: Canvas) -> Tensor:
        """Return logits (L, V), -inf for tokens that no text consists of."""
        shown = torch.where(canvas.masked, self._mask, canvas.ids)
        layout = self._lay_out(canvas.lengths)
        ids = torch.empty(len(layout), dtype=torch.long)
        ids[layout.around], ids[layout.holes] = self._around, shown
        places = layout.near
        if self._cache is None or self._is_due(shown, layout.lengths):
            places, self._passes = place_of(0, len(ids)), 0
            self._cache = TextCache(self._model, len(ids))
            self._seen = list(shown.split(layout.lengths))
        self._passes += 1
        self.tokens_run += len(places)
        hidden = self._model.among(ids[places], places, self._cache.at(places))
        rows = torch.searchsorted(places, layout.holes - self._shift).to(hidden.device)
        return self._model.logits(hidden[rows]).masked_fill(self._barred, -torch.inf)

    def _lay_out(self, lengths: tuple[int, ...]) -> _Layout:
        """Follow the holes where they grew or shrank; what is kept around them moves along."""
        old = self._layout
        if old is not None and old.lengths == lengths:
            return old
        vicinity = max(self._refresh.vicinity, self._shift)
        self._layout = new = _Layout.of(self._sizes, lengths, vicinity)
        if not self._model.config.rotary_dim:
            self._cache = None  # learned positions cannot be moved
        elif old is not None and self._cache is not None:
            source = torch.zeros(len(new), dtype=torch.long)  # a hole's are computed, not moved
            source[new.around] = old.around
            self._cache.move(source)
            self._seen = [
                F.pad(seen, (0, length - len(seen)), value=self._mask)
                for seen, length in zip(self._seen, lengths, strict=True)
            ]
        return new

    def _is_due(self, shown: Tensor, lengths: tuple[int, ...]) -> bool:
        if self._passes >= self._refresh.every:
            return True
        changed = sum(
            int((now != seen).sum())
            for now, seen in zip(shown.split(lengths), self._seen, strict=True)
        )
        return changed > self._refresh.changed * len(shown)
