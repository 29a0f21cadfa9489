"""Linear layers over frozen weights, in plain floating point; int8.py has those of the CPU.

Each may carry a low-rank update (LoRA, arXiv:2106.09685) that a call switches on, so that one set
of base weights serves context and canvas. Shapes: T tokens, I inputs, O outputs, R rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class LowRank:
    """The update y += (x down^T) up of one projection, or of several that share their input."""

    def __init__(self, down: Tensor, up: Tensor) -> None:
        """Take down (R, I) and up (O, R), with the scale in it."""
        self.down = down.t()  # (I, R)
        self.up = up.t().contiguous()  # (R, O): as a single token reads it fastest

    @classmethod
    def side_by_side(cls, updates: Sequence[LowRank]) -> LowRank:
        """Join the updates of projections that share their input and are computed as one.

        Reading the zeros between them takes less than an operation for each.
        """
        down = torch.cat([update.down for update in updates], 1)
        return cls(down.t(), torch.block_diag(*(update.up for update in updates)).t())

    def __call__(self, x: Tensor) -> Tensor:
        """Return the update (…, O) for x (…, I)."""
        return x @ self.down @ self.up

    @property
    def num_weights(self) -> int:
        """How many numbers it has."""
        return self.down.numel() + self.up.numel()

    def add_to(self, y: Tensor, x: Tensor) -> None:
        """Add the update for x (B, T, I) to y (B, T, O) in place, without gradients.

        The B are multiplied each by itself, so that none depends on how many there are.
        """
        if x.shape[:2] == (1, 1):  # of which threads would take a part each, and add up otherwise
            inner = torch.bmm(x.expand(2, -1, -1), self.down.expand(2, -1, -1))[:1]
        else:
            inner = torch.bmm(x, self.down.expand(len(x), -1, -1))
        y.baddbmm_(inner, self.up.expand(len(x), -1, -1))


class Adaptable:
    """What may carry an update."""

    update: LowRank | None = None

    def adapt(self, update: LowRank) -> None:
        """Attach an update."""
        self.update = update


class FloatLinear(Adaptable):
    """y = x W^T + b in the weight's own dtype; the reference for `Int8Linear`."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight, self.bias = weight, bias  # (O, I), (O,)

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (T, I) to (T, O), with the update if `adapted`."""
        y = F.linear(x, self.weight, self.bias)  # (T, O)
        return y + self.update(x) if adapted and self.update else y


class SplitLinear(Adaptable):
    """Several matrices that share their input, left where they are: mapped ones in their file."""

    def __init__(self, weights: Sequence[Tensor], bias: Tensor | None = None) -> None:
        self.weights, self.bias = weights, bias

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (T, I) to (T, O), outputs side by side, with the update if `adapted`."""
        y = torch.cat([F.linear(x, weight.to(x.device)) for weight in self.weights], -1)
        if self.bias is not None:
            y = y + self.bias.to(x.device)
        return y + self.update(x) if adapted and self.update else y


class Linear(Protocol):
    """What all of them are."""

    update: LowRank | None

    def adapt(self, update: LowRank) -> None:
        """Attach an update."""
        ...

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        ...
