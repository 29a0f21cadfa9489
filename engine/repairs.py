"""Taking back what of a finished canvas stands where its syntax goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.remasking import widened

# Says of a canvas without masks which positions (L,) bool stand where its syntax goes wrong.
Guide = Callable[[Canvas], Tensor]

_MARGIN = 2  # positions on each side of what is wrong that are masked with it


class Repairs:
    """At most so many repairs of one canvas; each bars the least sure of the wrong tokens."""

    def __init__(self, guide: Guide | None, most: int, length: int) -> None:
        """Take the length of the canvas, too."""
        self._guide, self._left = guide, most
        self._wrong: list[tuple[int, int]] = []  # position and token: what was taken back
        self._trust = torch.ones(length)  # how sure the tokens were when they were committed

    def barred(self, logits: Tensor) -> Tensor:
        """Return logits (L, V) by which no token comes again where it was taken back."""
        if not self._wrong:
            return logits
        logits = logits.clone()  # what a model answers in inference mode is not ours to change
        for place, token in self._wrong:
            logits[place, token] = -torch.inf
        return logits

    def note(self, committed: Tensor, sureness: Tensor) -> None:
        """Remember how sure the model was where it committed a token; (L,) each."""
        self._trust = torch.where(committed, sureness, self._trust)

    def of(self, canvas: Canvas) -> Canvas | None:
        """Return a finished canvas with masks where it went wrong, None if it may stay."""
        if self._guide is None or not self._left:
            return None
        faulty = self._guide(canvas)
        if not bool(faulty.any()):
            return None
        self._left -= 1
        place = int(self._trust.masked_fill(~faulty, torch.inf).argmin())
        self._wrong.append((place, int(canvas.ids[place])))
        holes = faulty.split(canvas.lengths)
        return canvas.revoke(torch.cat([widened(hole, _MARGIN) for hole in holes]))
