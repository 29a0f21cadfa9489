"""Linear layers over frozen weights: int8 on the CPU, plain floating point elsewhere.

Each may carry a low-rank update (LoRA, arXiv:2106.09685) that a call switches on, so that one set
of base weights serves context and canvas. Shapes: T tokens, I inputs, O outputs, R rank.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Keeps a row of zeros from dividing by zero; far below any real activation.
_TINY = 1e-12
_ROWS = 512  # quantised at a time: those of an output, all as floats, would be gigabytes


@functools.cache
def _has_vnni() -> bool:
    """Tell whether 8-bit products add up in 32 bits; in 16 bits full 8-bit inputs overflow."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict[str, bool])()  # torch >= 2.10
    return capabilities.get("avx512_vnni", False) or capabilities.get("avx_vnni", False)


class LowRank:
    """The update y += up(down(x)) of one projection, or of several that share their input.

    The scale is folded into the ups, each of which has its own rows of `down`.
    """

    def __init__(self, down: Tensor, *ups: Tensor) -> None:
        """Take down (R, I) and ups (O, R), outputs side by side; their R add up to that of down."""
        self.down = down
        self.ups = [up.t().contiguous() for up in ups]  # (R, O): as a single token reads it fastest
        self._ranks = [len(up) for up in self.ups]

    @classmethod
    def side_by_side(cls, updates: Sequence[LowRank]) -> LowRank:
        """Join the updates of projections that share their input and are computed as one."""
        return cls(torch.cat([u.down for u in updates]), *(up.t() for u in updates for up in u.ups))

    def __call__(self, x: Tensor) -> Tensor:
        """Return the update (…, O) for x (…, I)."""
        inner = F.linear(x, self.down).split(self._ranks, -1)
        return torch.cat([h @ up for h, up in zip(inner, self.ups, strict=True)], -1)

    def add_to(self, y: Tensor, x: Tensor) -> None:
        """Add the update for x (B, T, I) to y (B, T, O) in place, without gradients.

        The B are multiplied each by itself, so that none depends on how many there are.
        """
        inner = torch.bmm(x, self.down.t().expand(len(x), -1, -1))
        end = 0
        for h, up in zip(inner.split(self._ranks, -1), self.ups, strict=True):
            start, end = end, end + up.shape[1]
            y[..., start:end].baddbmm_(h, up.expand(len(x), -1, -1))


@dataclass(frozen=True, slots=True)
class Int8Weight:
    """A weight matrix in int8: row i stands for values[i] * scale[i]."""

    values: Tensor  # (O, I) int8
    scale: Tensor  # (O,) float32

    @classmethod
    def of(cls, weight: Tensor) -> Int8Weight:
        """Quantise (O, I) of any float type, symmetric, a scale a row."""
        made = cls(
            torch.empty(weight.shape, dtype=torch.int8, device=weight.device),
            torch.empty(len(weight), device=weight.device),
        )
        columns = (column.split(_ROWS) for column in (weight, made.values, made.scale))
        for rows, values, scale in zip(*columns, strict=True):
            torch.div(rows.abs().amax(1).float().clamp_min(_TINY), 127, out=scale)
            values.copy_((rows / scale[:, None]).round())
        return made

    @classmethod
    def stacked(cls, weights: Sequence[Int8Weight]) -> Int8Weight:
        """Join the rows of several matrices that share their input."""
        if len(weights) == 1:
            return weights[0]
        return cls(torch.cat([w.values for w in weights]), torch.cat([w.scale for w in weights]))


class FloatLinear:
    """y = x W^T + b in the weight's own dtype; the reference for `Int8Linear`."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight, self.bias = weight, bias  # (O, I), (O,)
        self.update: LowRank | None = None

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (T, I) to (T, O), with the update if `adapted`."""
        y = F.linear(x, self.weight, self.bias)  # (T, O)
        return y + self.update(x) if adapted and self.update else y


class SplitLinear:
    """Several matrices that share their input, left where they are: mapped ones in their file."""

    def __init__(self, weights: Sequence[Tensor], bias: Tensor | None = None) -> None:
        self.weights, self.bias = weights, bias
        self.update: LowRank | None = None

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (T, I) to (T, O), outputs side by side, with the update if `adapted`."""
        y = torch.cat([F.linear(x, weight.to(x.device)) for weight in self.weights], -1)
        if self.bias is not None:
            y = y + self.bias.to(x.device)
        return y + self.update(x) if adapted and self.update else y


class Int8Linear:
    """Weights in int8 with a scale a row; activations quantised on the fly with a range a token.

    Torch's kernel takes one range for all of x. Stretching each token to 0 to 1 first makes that
    range fit them all, so that a token's result does not depend on those beside it; the sum of each
    weight row puts back what the stretching took away. Without this, the outliers of a single
    token in `down_proj` cost the default model half of its accuracy.
    """

    def __init__(self, weight: Int8Weight, bias: Tensor | None = None) -> None:
        zero = torch.zeros(len(weight.scale), dtype=torch.long)
        with warnings.catch_warnings():
            # Torch moves these tensors to another package after 2.13; our range ends there.
            warnings.simplefilter("ignore", UserWarning)
            quantized = torch._make_per_channel_quantized_tensor(  # pyright: ignore[reportPrivateUsage]
                weight.values, weight.scale.double(), zero, 0
            )
        self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        self._reduce_range = not _has_vnni()
        # By numpy: torch makes wider numbers of all it adds up first, half a gigabyte for a head.
        sums = weight.values.numpy().sum(1, dtype=np.int32)
        self._sums = torch.from_numpy(sums) * weight.scale  # (O,)
        self.bias = bias
        self.update: LowRank | None = None

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (T, I) to (T, O), with the update if `adapted`."""
        # (T, 1) each; torch's aminmax does the same many times slower.
        low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
        scale = (high - low).clamp_min(_TINY)
        y = torch.ops.quantized.linear_dynamic((x - low) / scale, self._packed, self._reduce_range)
        y = y.mul_(scale).addcmul_(low, self._sums)
        if self.bias is not None:
            y = y.add_(self.bias)
        if adapted and self.update:
            self.update.add_to(y, x)
        return y


class Linear(Protocol):
    """What all of them are."""

    update: LowRank | None

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        ...
